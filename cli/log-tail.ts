// The lines of a log that is appended to, and cut when it grows too long (services/log-files.ts):
// its last part is then in `<file>.1`, and the file starts empty.
import { closeSync, openSync, readSync, statSync } from "node:fs";

const CHUNK_BYTES = 256 * 1024;
/** A line that is longer is shown in pieces. */
const MAX_LINE_BYTES = 1024 * 1024;
const NEWLINE = 0x0a;

export class LogTail {
  private offset = 0;
  /** The start of a line whose end is not written yet. */
  private rest = Buffer.alloc(0);
  private last: string | undefined;

  constructor(readonly file: string) {}

  /** The last `count` lines so far. What comes later is news. */
  end(count: number): string[] {
    const size = sizeOf(this.file);
    const lines = lastLines(this.file, size, count);
    this.offset = size;
    this.rest = Buffer.from(lines.rest);
    const missing = count - lines.whole.length;
    const older =
      missing > 0 ? lastLines(`${this.file}.1`, sizeOf(`${this.file}.1`), missing) : null;
    this.last = lines.whole.at(-1);
    return [...(older?.whole ?? []), ...lines.whole];
  }

  /** Whole lines written since the last call. */
  news(): string[] {
    const size = sizeOf(this.file);
    const missed = size < this.offset ? this.wasCut() : [];
    const found: string[] = [];
    while (this.offset < size) {
      const chunk = bytesAt(this.file, this.offset, Math.min(CHUNK_BYTES, size - this.offset));
      if (chunk.length === 0) break;
      this.offset += chunk.length;
      found.push(...this.linesIn(chunk));
    }
    const lines = [...missed, ...found];
    this.last = lines.at(-1) ?? this.last;
    return lines;
  }

  /** What was written after the last line that was read, and moved away with it. */
  private wasCut(): string[] {
    this.offset = 0;
    this.rest = Buffer.alloc(0);
    const kept = bytesAt(`${this.file}.1`, 0, sizeOf(`${this.file}.1`))
      .toString()
      .split("\n");
    kept.pop();
    const seen = this.last === undefined ? -1 : kept.lastIndexOf(this.last);
    return seen < 0 ? [] : kept.slice(seen + 1);
  }

  private linesIn(chunk: Buffer): string[] {
    const bytes = Buffer.concat([this.rest, chunk]);
    const end = bytes.length > MAX_LINE_BYTES ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
    this.rest = Buffer.from(bytes.subarray(end));
    const text = bytes.subarray(0, end).toString();
    return text === "" ? [] : text.replace(/\n$/, "").split("\n");
  }
}

/** `rest`: the bytes of a last line that is not whole. */
function lastLines(file: string, size: number, count: number): { whole: string[]; rest: Buffer } {
  let from = size;
  let bytes: Buffer = Buffer.alloc(0);
  const isEnough = () => bytes.filter((byte) => byte === NEWLINE).length > count;
  while (from > 0 && !isEnough()) {
    const length = Math.min(CHUNK_BYTES, from);
    from -= length;
    bytes = Buffer.concat([bytesAt(file, from, length), bytes]);
  }
  const end = bytes.lastIndexOf(NEWLINE) + 1;
  const lines = bytes.subarray(0, end).toString().split("\n");
  lines.pop();
  return { whole: count === 0 ? [] : lines.slice(-count), rest: bytes.subarray(end) };
}

/** 0: there is no such file. */
function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function bytesAt(file: string, from: number, length: number): Buffer {
  if (length === 0) return Buffer.alloc(0);
  const bytes = Buffer.alloc(length);
  const opened = openSync(file, "r");
  try {
    return bytes.subarray(0, readSync(opened, bytes, 0, length, from));
  } finally {
    closeSync(opened);
  }
}
