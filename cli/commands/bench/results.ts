// What all benches share: a temporary folder to measure in, and bench/results/<name>.json and .md.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
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
): void {
  if (save) {
    mkdirSync(RESULTS, { recursive: true });
    writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(join(RESULTS, `${name}.md`), page);
  }
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : `\n${page}`);
}

export function machine(): string {
  const model = cpus()[0]?.model.replace(/ +/g, " ") ?? "?";
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} × ${model}, ${memory} GiB, Bun ${Bun.version}`;
}
