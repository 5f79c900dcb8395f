// The trace of a request, as `traceparent` of W3C Trace Context: version, trace id, parent id and
// flags, in hex with dashes between. https://www.w3.org/TR/trace-context/#traceparent-header
import { idAt, type Rows, userAt } from "./message.ts";

/** A traceparent of version 00: 55 characters. */
export type Traceparent = string;

/** Version 00 ends with the flags. Later versions may continue; their first four parts are read. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZERO_TRACE = "0".repeat(32);
const ZERO_SPAN = "0".repeat(16);

/** The trace in a header; undefined if there is none or the standard says to ignore it. */
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

/** 16 hex digits: the span of the sender. */
export function spanIdOf(traceparent: Traceparent): string {
  return traceparent.slice(36, 52);
}

/** Whether the sender records the trace and asks others to. */
export function isSampled(traceparent: Traceparent): boolean {
  return (Number.parseInt(traceparent.slice(53), 16) & 1) === 1;
}

export interface TracedOrder {
  readonly user: string;
  readonly id: string;
  readonly traceparent: Traceparent;
  readonly acceptedAtMs: number;
  /** Index of its row in the message. */
  readonly at: number;
}

/**
 * The orders of a message that have a trace; only the rows that are sound. A row that was rejected
 * may hold anything in the place of its trace.
 */
export function tracedOrders(rows: Rows, isSound = (_at: number) => true): TracedOrder[] {
  const traced: TracedOrder[] = [];
  rows.trace.forEach((value, at) => {
    const traceparent = value === "" ? undefined : readTraceparent(value);
    if (traceparent === undefined || !isSound(at)) return;
    const acceptedAtMs = rows.at[at] as number;
    traced.push({ user: userAt(rows, at), id: idAt(rows, at), traceparent, acceptedAtMs, at });
  });
  return traced;
}

/** A quick test whether a message may have traced orders. A client's text may look like a trace. */
export function mayBeTraced(body: string | Buffer): boolean {
  return body.includes('"00-');
}
