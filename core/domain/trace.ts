// The trace a request belongs to, as W3C Trace Context's `traceparent` says it: version-trace
// id-parent id-flags, in hex. https://www.w3.org/TR/trace-context/#traceparent-header
import { idAt, type Rows, userAt } from "./message.ts";

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

/** The orders of a message that name a trace; of sound rows among others, only those that are. */
export function tracedOrders(rows: Rows, isSound = (_at: number) => true): TracedOrder[] {
  const traced: TracedOrder[] = [];
  rows.trace.forEach((traceparent, at) => {
    if (traceparent === "" || !isSound(at)) return;
    const acceptedAtMs = rows.at[at] as number;
    traced.push({ user: userAt(rows, at), id: idAt(rows, at), traceparent, acceptedAtMs, at });
  });
  return traced;
}

/** Whether a message may hold such an order: text of a client's may look like a trace, too. */
export function mayBeTraced(body: string | Buffer): boolean {
  return body.includes('"00-');
}
