// One row of a message, by names: for everything that looks at rows one by one. The hot path works
// on columns instead (message.ts, message-writer.ts).
import type { AnswerWord, Attempt } from "./charge.ts";
import type { Order, Skip } from "./order.ts";
import type { Part, PartWord } from "./part.ts";
import type { Traceparent } from "./trace.ts";

/** An order as it was accepted. */
export interface PlacedOrder {
  readonly order: Order;
  /** fingerprintOf(order), 16 hex digits. */
  readonly fingerprint: string;
  /** Unix ms. */
  readonly atMs: number;
  /** Of the request it came with, if that named one. */
  readonly trace?: Traceparent;
}

export interface OrderRow extends PlacedOrder {
  readonly kind: "order";
}

/** An order whose payment failed, tried again under the next generation. */
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

/** What was heard of an attempt to charge. */
export interface AnswerRow extends Attempt {
  readonly kind: "answer";
  readonly answer: AnswerWord;
  readonly detail: string;
  readonly atMs: number;
}

/** Which part of a paid order. */
export type PartName = Pick<Part, "user" | "id" | "generation" | "part" | "of" | "request">;

/** What a service reports of a part. */
export interface PartRow extends PartName {
  readonly kind: "part";
  readonly report: PartWord;
  readonly service: string;
  readonly atMs: number;
}

export type Row = OrderRow | RedriveRow | SkipRow | CancelRow | AnswerRow | PartRow;

/** The user a row is about. */
export function userOf(row: Row): string {
  return row.kind === "order" || row.kind === "redrive" ? row.order.user : row.user;
}
