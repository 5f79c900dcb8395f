// Bounds the logs of a fleet. Every log is opened to append, so a file can be cut while its process
// writes to it: its last part is kept beside it, and the next line starts an empty file.
import {
  closeSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { countIgnored } from "../core/runtime/ignored.ts";
import { realRuntime } from "../core/runtime/runtime.ts";

const LOOK_MS = 30_000;
/** A file is cut once it is longer than this. */
export const MAX_LOG_BYTES = 32 * 1024 * 1024;
/** How much of its end is kept. */
const KEPT_BYTES = 8 * 1024 * 1024;

/** Checks every `*.log` of these folders regularly. Returns a function that stops it. */
export function boundLogs(folders: readonly string[]): () => void {
  const timer = realRuntime.startInterval(() => {
    for (const folder of folders) for (const file of logsIn(folder)) cutIfLong(file);
  }, LOOK_MS);
  timer.unref();
  return () => realRuntime.stopTimer(timer);
}

/** Keeps the end of a log that is too long as `<file>.1`. */
export function cutIfLong(file: string, maxBytes = MAX_LOG_BYTES, keptBytes = KEPT_BYTES): void {
  try {
    const { size } = statSync(file);
    if (size <= maxBytes) return;
    writeFileSync(`${file}.1`, endOf(file, size, Math.min(keptBytes, size)));
    truncateSync(file, 0);
  } catch {
    countIgnored("log_cut");
  }
}

function endOf(file: string, size: number, bytes: number): Buffer {
  const end = Buffer.alloc(bytes);
  const opened = openSync(file, "r");
  try {
    return end.subarray(0, readSync(opened, end, 0, bytes, size - bytes));
  } finally {
    closeSync(opened);
  }
}

function logsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(".log"))
      .map((name) => join(folder, name));
  } catch {
    return []; // it was never made
  }
}
