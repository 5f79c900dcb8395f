// Runs the simulator on a copy of the source tree in which one rule is broken.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type ChildOptions, runChild } from "./child.ts";
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

export async function hunt(planted: Planted, options: ChildOptions): Promise<Found> {
  const dir = plant(planted);
  const { name } = planted;
  try {
    const scenario = options.scenario ?? planted.scenario;
    const { seeds, realMs, failed } = await runChild(dir, { ...options, scenario });
    const violation = failed[0]?.violations[0];
    if (violation === undefined) return { name, seeds: undefined, violation: "", realMs };
    return { name, seeds, violation, realMs };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
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
