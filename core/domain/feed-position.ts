// A position in the feed of events, and its text: the cursor that clients keep.
import { createHash } from "node:crypto";

export interface FeedPosition {
  /** By shard: the last entry that has been read. */
  readonly read: readonly number[];
  /**
   * A hash over the ids of these entries (checkOf): another history of the ledger has other ids.
   */
  readonly check: string;
}

const VERSION = 1;
const CHECK_BYTES = 8;
/** More shards than a ledger may have, and more bytes than a whole number needs. */
const MAX_SHARDS = 65_536;
const MAX_VARINT_BYTES = 8;

export function checkOf(storeId: string, ids: readonly string[]): string {
  const hash = createHash("sha256").update([storeId, ...ids].join(" "));
  return hash.digest().subarray(0, CHECK_BYTES).toString("hex");
}

export function cursorOf({ read, check }: FeedPosition): string {
  const bytes = [VERSION];
  putNumber(bytes, read.length);
  for (const n of read) putNumber(bytes, n);
  return Buffer.concat([Buffer.from(bytes), Buffer.from(check, "hex")]).toString("base64url");
}

/** undefined: no cursor has this text. */
export function readCursor(text: string): FeedPosition | undefined {
  const bytes = Buffer.from(text, "base64url");
  const reader = new NumberReader(bytes);
  const version = reader.next();
  const shards = reader.next();
  if (version !== VERSION || shards > MAX_SHARDS) return undefined;
  const read: number[] = [];
  while (read.length < shards && !reader.failed) read.push(reader.next());
  const check = bytes.subarray(reader.at);
  if (reader.failed || check.length !== CHECK_BYTES) return undefined;
  const position = { read, check: check.toString("hex") };
  return cursorOf(position) === text ? position : undefined;
}

/** Seven bits a byte, the lowest first; the highest bit says that another byte follows. */
function putNumber(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

class NumberReader {
  at = 0;
  failed = false;

  constructor(private readonly bytes: Uint8Array) {}

  next(): number {
    let value = 0;
    for (let i = 0, unit = 1; i < MAX_VARINT_BYTES; i++, unit *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value += (byte % 128) * unit;
      if (byte < 128 && Number.isSafeInteger(value)) return value;
    }
    this.failed = true;
    return 0;
  }
}
