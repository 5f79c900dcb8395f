// What `sluice up` knows of the stores that it keeps running, in a file for `sluice doctor`.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./secret-file.ts";

export interface Kept {
  /** `frozen`: a signal has stopped it. `down`: it has ended and does not run again yet. */
  readonly state: "serves" | "fails" | "frozen" | "down";
  /** Why it fails; empty while it serves. */
  readonly why: string;
  /** Unix ms. */
  readonly sinceMs: number;
  /** How often it was started again. */
  readonly restarts: number;
  /** The last time, Unix ms, and why. */
  readonly restartedMs: number;
  readonly restartedFor: string;
}

const STATES: ReadonlySet<unknown> = new Set<Kept["state"]>(["serves", "fails", "frozen", "down"]);

const fileIn = (dir: string) => join(dir, "kept.json");

/** A full disk must not keep a service from being started again. */
export function writeKept(dir: string, kept: ReadonlyMap<string, Kept>): void {
  try {
    writeWhole(fileIn(dir), JSON.stringify(Object.fromEntries(kept)));
  } catch {
    // The next change is written, or the next start starts from nothing.
  }
}

export function removeKept(dir: string): void {
  rmSync(fileIn(dir), { force: true });
}

/**
 * By name; empty if nothing is kept here. Entries that an `up` of another release wrote are left
 * out.
 */
export function readKept(dir: string): ReadonlyMap<string, Kept> {
  try {
    const entries = Object.entries(JSON.parse(readFileSync(fileIn(dir), "utf8")) as object);
    return new Map(entries.filter((entry): entry is [string, Kept] => isKept(entry[1])));
  } catch {
    return new Map();
  }
}

function isKept(value: unknown): value is Kept {
  const { state, why, sinceMs, restarts, restartedMs, restartedFor } = (value ?? {}) as Kept;
  const times = [sinceMs, restarts, restartedMs];
  return (
    STATES.has(state) &&
    typeof why === "string" &&
    typeof restartedFor === "string" &&
    times.every((n) => Number.isSafeInteger(n) && n >= 0)
  );
}
