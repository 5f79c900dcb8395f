// One row of a message as an object, for code that handles single rows. The hot path uses columns
// instead (message.ts, message-writer.ts).
import type { AnswerWord, Attempt } from "./charge.ts";
import { fingerprintOf, type Order, type Skip } from "./order.ts";
import type { Part, PartWord } from "./part.ts";
import type { Traceparent } from "./trace.ts";

/** An order as it was accepted. */
export interface PlacedOrder {
  readonly order: Order;
  /** fingerprintOf(order), 16 hex digits. */
  readonly fingerprint: string;
  /** Unix ms. */
  readonly atMs: number;
  /** Trace of its request, if the request named one. */
  readonly trace?: Traceparent;
}

export interface OrderRow extends PlacedOrder {
  readonly kind: "order";
}

/** An order whose payment failed, to be decided again under the next generation. */
export interface RedriveRow extends PlacedOrder {
  readonly kind: "redrive";
  readonly generation: number;
}

export interface SkipRow extends Skip {
  readonly kind: "skip";
  readonly atMs: number;
}

export interface CancelRow {
  readonly kind: "cancel";
  readonly user: string;
  readonly id: string;
  readonly atMs: number;
}

/** An answer about an attempt to charge. */
export interface AnswerRow extends Attempt {
  readonly kind: "answer";
  readonly answer: AnswerWord;
  readonly detail: string;
  readonly atMs: number;
}

/** Names a part of a paid order. */
export type PartName = Pick<Part, "user" | "id" | "generation" | "part" | "of" | "request">;

/** A service's report on a part. */
export interface PartRow extends PartName {
  readonly kind: "part";
  readonly report: PartWord;
  readonly service: string;
  readonly atMs: number;
}

export type Row = OrderRow | RedriveRow | SkipRow | CancelRow | AnswerRow | PartRow;

/** The user of a row. */
export function userOf(row: Row): string {
  return row.kind === "order" || row.kind === "redrive" ? row.order.user : row.user;
}

/** The id of a row's order; a skip has none. */
export function idOf(row: Exclude<Row, SkipRow>): string {
  return row.kind === "order" || row.kind === "redrive" ? row.order.id : row.id;
}

export function orderRow(order: Order, atMs: number, trace?: Traceparent): OrderRow {
  const placed = { order, fingerprint: fingerprintOf(order), atMs };
  return { kind: "order", ...placed, ...(trace === undefined ? {} : { trace }) };
}

/** The order under a new generation. Its number is used up, so it becomes 0. */
export function redriveRow(placed: PlacedOrder, generation: number): RedriveRow {
  const { order, fingerprint, atMs, trace } = placed;
  const again = { order: { ...order, seq: 0 }, fingerprint, atMs, generation };
  return { kind: "redrive", ...again, ...(trace === undefined ? {} : { trace }) };
}

export function skipRow({ user, saleId, seq }: Skip, atMs: number): SkipRow {
  return { kind: "skip", user, saleId, seq, atMs };
}

export function cancelRow(user: string, id: string, atMs: number): CancelRow {
  return { kind: "cancel", user, id, atMs };
}

export function answerRow(
  { user, id, generation, attempt }: Attempt,
  answer: AnswerWord,
  detail: string,
  atMs: number,
): AnswerRow {
  return { kind: "answer", user, id, generation, attempt, answer, detail, atMs };
}

export function partRow(of: PartName, report: PartWord, service: string, atMs: number): PartRow {
  const { user, id, generation, part, of: parts, request = 1 } = of;
  const row = { user, id, generation, part, of: parts, report, service, atMs };
  return { kind: "part", ...row, ...(report === "later" ? { request } : {}) };
}
