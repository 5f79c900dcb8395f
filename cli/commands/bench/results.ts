// What all benches share: a temporary folder to measure in, and bench/results/<name>.json and .md.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { basename, join } from "node:path";
import { InvalidArgumentError } from "commander";
import { comparison, type Figures } from "../../../bench/against.ts";
import { messageOf } from "../../../core/domain/message-of.ts";
import { makeFolder, removeFolder, sweepFolders } from "../../../proof/demo/folder.ts";

const ROOT = join(import.meta.dir, "..", "..", "..");
const RESULTS = join(ROOT, "bench", "results");
/** Tools that benches build once. */
export const TOOLS = join(ROOT, ".sluice", "tools");

export const MAX_SECONDS = 3_600;
export const MAX_RATE = 1_000_000;

/** Flags of every bench. */
export interface ResultFlags {
  readonly json: boolean;
  readonly save: boolean;
}

/** An earlier result of a bench, read before the bench starts. */
export interface Earlier<T> {
  readonly file: string;
  readonly result: T;
  readonly figures: Figures;
}

/** The arguments of an option `--against`, for a bench with these figures. */
export function againstOption<T>(figures: (result: T) => Figures) {
  const read = (file: string): Earlier<T> => {
    try {
      const result = JSON.parse(readFileSync(file, "utf8")) as T;
      return { file: basename(file), result, figures: figures(result) };
    } catch (error) {
      throw new InvalidArgumentError(`not a result of this bench: ${messageOf(error)}`);
    }
  };
  return ["--against <file>", "an earlier result (JSON) to compare with", read] as const;
}

/** The table that compares a result with an earlier one of the same bench. */
export function againstLines<T extends { readonly at: string }>(
  against: Earlier<T> | undefined,
  { at }: T,
  figures: Figures,
): string[] {
  if (!against) return [];
  const title = `Against ${against.file}`;
  return comparison(title, [against.result.at, at], against.figures, figures);
}

/** SVG plots by the name of their file, without its ending. */
export type Plots = Readonly<Record<string, string>>;

/** Measures in a temporary folder and removes it afterwards. */
export async function inFolder(
  work: (dir: string, say: (line: string) => void) => Promise<void>,
): Promise<void> {
  await sweepFolders();
  const dir = makeFolder();
  try {
    await work(dir, (line) => void process.stderr.write(`${line}\n`));
  } finally {
    removeFolder(dir);
  }
}

/** Prints the results and saves them in bench/results/. */
export function show(
  name: string,
  result: unknown,
  page: string,
  { json, save }: ResultFlags,
  plots: Plots = {},
): void {
  if (save) {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(RESULTS, `${name}.md`), page);
    for (const [plot, svg] of Object.entries(plots))
      writeFileSync(join(RESULTS, `${plot}.svg`), svg);
  }
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `\n${page}`);
}

export function machine(): string {
  const model = cpus()[0]?.model.replace(/ +/g, " ") ?? "?";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model}, ${memory} GiB, Bun ${Bun.version}`;
}
