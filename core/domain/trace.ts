// The trace a request belongs to, as W3C Trace Context's `traceparent` says it: version-trace
// id-parent id-flags, in hex. https://www.w3.org/TR/trace-context/#traceparent-header

/** A traceparent of version 00: 55 characters. */
export type Traceparent = string;

/**
 * Version 00 has nothing behind the flags; a later one may, and its first four parts are read as
 * 00's.
 */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZERO_TRACE = "0".repeat(32);
const ZERO_SPAN = "0".repeat(16);

/**
 * The trace a header names; undefined when there is none, or one that is to be ignored by the
 * standard.
 */
export function readTraceparent(text: string | null | undefined): Traceparent | undefined {
  if (typeof text !== "string") return undefined;
  const parts = TRACEPARENT.exec(text);
  if (!parts) return undefined;
  const [, version, traceId, spanId, flags, rest] = parts;
  if (traceId === ZERO_TRACE || spanId === ZERO_SPAN || (version === "00" && rest !== undefined))
    return undefined;
  return version === "00" ? text : `00-${traceId}-${spanId}-${flags}`;
}

/** 32 hex digits. */
export function traceIdOf(traceparent: Traceparent): string {
  return traceparent.slice(3, 35);
}

/** 16 hex digits: whoever handed it on. */
export function spanIdOf(traceparent: Traceparent): string {
  return traceparent.slice(36, 52);
}

/** Whether the caller records it, and wants others to. */
export function isSampled(traceparent: Traceparent): boolean {
  return (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;
}

export interface TracedOrder {
  readonly user: string;
  readonly id: string;
  readonly traceparent: Traceparent;
  readonly acceptedAtMs: number;
  /** Which row of its message it is. */
  readonly at: number;
}

/** The orders of a message (a JSON array of rows, see order.ts) that name a trace. */
export function tracedOrders(body: string): TracedOrder[] {
  // Metadata may hold such a text too: then it is looked at in vain.
  if (!body.includes('"00-')) return [];
  const traced: TracedOrder[] = [];
  (JSON.parse(body) as (string | number)[][]).forEach((row, at) => {
    // A row among sound ones may be anything: it was set apart.
    if (!Array.isArray(row)) return;
    const traceparent = row[row[0] === "r" ? 13 : 12];
    if ((row[0] !== "o" && row[0] !== "r") || typeof traceparent !== "string") return;
    traced.push({
      user: String(row[1]),
      id: String(row[2]),
      traceparent,
      acceptedAtMs: Number(row[4]),
      at,
    });
  });
  return traced;
}
