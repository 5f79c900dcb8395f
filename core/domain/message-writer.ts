// Writes a message column by column: on the hot path no object is made for a row. A column begins
// with the first value that is not the field's default, so an ordinary order costs only what it
// states. Lists and one JSON.stringify cost half as much as putting text together.
import type { AnswerWord, Attempt } from "./charge.ts";
import {
  FIELD_NAMES,
  FIELDS,
  type FieldName,
  KINDS,
  type Kind,
  MESSAGE_VERSION,
  NIL_ID,
} from "./fields.ts";
import type { Order, Skip } from "./order.ts";
import type { PartWord } from "./part.ts";
import type { PartName, Row } from "./row.ts";
import type { Traceparent } from "./trace.ts";

type Columns = { readonly [F in FieldName]: (string | number)[] };

/** Rows on their way into one message. */
export class MessageWriter {
  /** A column may be shorter than the message: the rows that it lacks have the default. */
  private readonly columns = Object.fromEntries(
    FIELD_NAMES.map((name) => [name, []]),
  ) as never as Columns;
  private readonly skus: string[] = [];
  private readonly quantities: number[] = [];
  private kinds = "";
  private others = false;
  private size = 0;

  /** How many rows it has. */
  get rows(): number {
    return this.size;
  }

  add(row: Row): void {
    switch (row.kind) {
      case "order":
        this.order(row.order, row.fingerprint, row.atMs, row.trace);
        break;
      case "redrive":
        this.redrive(row.order, row.fingerprint, row.atMs, row.generation, row.trace);
        break;
      case "skip":
        this.skip(row, row.atMs);
        break;
      case "cancel":
        this.cancel(row.user, row.id, row.atMs);
        break;
      case "answer":
        this.answer(row, row.answer, row.detail, row.atMs);
        break;
      case "part":
        this.part(row, row.report, row.service, row.atMs);
        break;
    }
  }

  /** `fingerprint`: fingerprintOf(order). */
  order(order: Order, fingerprint: string, atMs: number, trace?: Traceparent): void {
    this.orderAs("order", order, fingerprint, atMs, trace);
  }

  /** An order under a new generation; its number is used up. */
  redrive(
    order: Order,
    fingerprint: string,
    atMs: number,
    generation: number,
    trace?: Traceparent,
  ): void {
    this.put("generation", generation);
    this.orderAs("redrive", { ...order, seq: 0 }, fingerprint, atMs, trace);
  }

  skip({ user, saleId, seq }: Skip, atMs: number): void {
    this.put("sale", saleId);
    this.put("seq", seq);
    this.row("skip", `${user} ${NIL_ID}`, atMs);
  }

  cancel(user: string, id: string, atMs: number): void {
    this.row("cancel", `${user} ${id}`, atMs);
  }

  /** What was heard of an attempt to charge. */
  answer(of: Attempt, answer: AnswerWord, detail: string, atMs: number): void {
    this.put("generation", of.generation);
    this.put("attempt", of.attempt);
    this.put("answer", answer);
    if (detail !== "") this.put("detail", detail);
    this.row("answer", `${of.user} ${of.id}`, atMs);
  }

  /** What a service reports of a part. */
  part(of: PartName, report: PartWord, service: string, atMs: number): void {
    this.put("generation", of.generation);
    this.put("part", of.part);
    this.put("parts", of.of);
    this.put("report", report);
    this.put("service", service);
    if (report === "later") this.put("request", of.request ?? 1);
    this.row("part", `${of.user} ${of.id}`, atMs);
  }

  /** The message as JSON text. Columns of nothing but defaults are left out. */
  toString(): string {
    const message: Record<string, unknown> = { v: MESSAGE_VERSION };
    if (this.others) message.kind = this.kinds;
    for (const name of FIELD_NAMES) {
      const column = this.columns[name];
      if (column.length === 0) continue;
      while (column.length < this.size) column.push(FIELDS[name].default);
      message[name] = column;
    }
    if (this.skus.length > 0) {
      message.sku = this.skus;
      message.qty = this.quantities;
    }
    return JSON.stringify(message);
  }

  /** The value of the row that is being written. */
  private put(name: FieldName, value: string | number): void {
    const column = this.columns[name];
    while (column.length < this.size) column.push(FIELDS[name].default);
    column.push(value);
  }

  private orderAs(
    kind: "order" | "redrive",
    order: Order,
    fingerprint: string,
    atMs: number,
    trace: Traceparent | undefined,
  ): void {
    this.put("fingerprint", fingerprint);
    this.put("sale", order.saleId);
    this.put("currency", order.currency);
    this.put("lines", order.lines.length);
    for (const { sku, qty } of order.lines) {
      this.skus.push(sku);
      this.quantities.push(qty);
    }
    if (order.seq !== 0) this.put("seq", order.seq);
    if (order.payment !== "") this.put("payment", order.payment);
    if (order.metadata !== "") this.put("metadata", order.metadata);
    if (order.maxTotal !== 0) this.put("maxTotal", order.maxTotal);
    if (trace !== undefined) this.put("trace", trace);
    this.row(kind, `${order.user} ${order.id}`, atMs);
  }

  private row(kind: Kind, name: string, atMs: number): void {
    this.put("order", name);
    this.put("at", atMs);
    this.kinds += KINDS[kind];
    if (kind !== "order") this.others = true;
    this.size++;
  }
}
