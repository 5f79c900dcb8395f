// An order's id is a UUIDv7 (RFC 9562 §5.7): its first 48 bits are the client's Unix time in
// milliseconds.

/** The gateway refuses older ids: the records to compare them with may be gone. */
export const ID_MAX_AGE_MS = 10 * 60_000;
/** The gateway refuses ids further ahead: they would outlive their bucket. */
export const ID_MAX_AHEAD_MS = 60_000;

export type IdVerdict = "ok" | "malformed" | "stale" | "future";

export const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Judges a lower-case textual id against the wall clock `nowMs`. */
export function judgeOrderId(id: string, nowMs: number): IdVerdict {
  if (!UUID_V7.test(id)) return "malformed";
  const ageMs = nowMs - orderIdTimeMs(id);
  if (ageMs > ID_MAX_AGE_MS) return "stale";
  if (ageMs < -ID_MAX_AHEAD_MS) return "future";
  return "ok";
}

/** The Unix time in milliseconds inside a UUIDv7, in lower or upper case. */
export function orderIdTimeMs(id: string): number {
  let ms = 0;
  for (let i = 0; i < TIME_CHARS; i++) {
    const c = id.charCodeAt(i);
    if (c !== DASH) ms = ms * 16 + (c > NINE ? (c | LOWER_CASE) - LETTER_BEFORE_A + 9 : c - ZERO);
  }
  return ms;
}

/** The time's 12 hex digits and the dash among them. */
const TIME_CHARS = 13;
const DASH = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** Sets a letter in lower case. */
const LOWER_CASE = 0x20;
const LETTER_BEFORE_A = 0x60;
