// Runs the simulator on a copy of the source tree in which one rule is broken.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Planted } from "./planted.ts";

const ROOT = join(import.meta.dir, "../..");
const LEFT_OUT = new Set([".git", "node_modules", ".sluice", "docs", "test", "results"]);

export interface Found {
  readonly name: string;
  /** The seeds it took; undefined: it was not found. */
  readonly seeds: number | undefined;
  /** What the simulator said. */
  readonly violation: string;
  readonly realMs: number;
}

export interface HuntOptions {
  readonly first: number;
  readonly seeds: number;
  readonly forSeconds: number | undefined;
}

export async function hunt(planted: Planted, options: HuntOptions): Promise<Found> {
  const dir = plant(planted);
  try {
    const { first, seeds, forSeconds } = options;
    const bounds = ["--from", `${first}`, "--seeds", `${seeds}`];
    if (forSeconds !== undefined) bounds.push("--for", `${forSeconds}`);
    const command = [
      process.execPath,
      join(dir, "cli/cli.ts"),
      "simulate",
      "--json",
      "--no-shrink",
    ];
    const child = Bun.spawn([...command, ...bounds], { cwd: dir, stderr: "pipe" });
    const [text, errors] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    await child.exited;
    return foundIn(planted.name, text, errors);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Said {
  readonly seeds: number;
  readonly realMs: number;
  readonly failed: readonly { readonly violations: readonly string[] }[];
}

function foundIn(name: string, text: string, errors: string): Found {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  if (!line.startsWith("{")) throw new Error(`${name}: no result: ${errors.slice(-2_000)}`);
  const { seeds, realMs, failed } = JSON.parse(line) as Said;
  const violation = failed[0]?.violations[0];
  if (violation === undefined) return { name, seeds: undefined, violation: "", realMs };
  return { name, seeds, violation, realMs };
}

/** A copy of the tree with the fault in it. Throws if the code is not as the fault expects it. */
export function plant({ name, edits }: Planted): string {
  const dir = mkdtempSync(join(tmpdir(), `sluice-planted-${name}-`));
  cpSync(ROOT, dir, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
  symlinkSync(join(ROOT, "node_modules"), join(dir, "node_modules"));
  for (const { file, from, to } of edits) {
    const path = join(dir, file);
    writeFileSync(path, edited(readFileSync(path, "utf8"), file, from, to));
  }
  return dir;
}

/** The text with the edit. Throws unless its place occurs once. */
export function edited(text: string, file: string, from: string, to: string): string {
  const count = text.split(from).length - 1;
  if (count !== 1) throw new Error(`${file} has ${count} places with '${from}', not one`);
  return text.replace(from, () => to);
}
