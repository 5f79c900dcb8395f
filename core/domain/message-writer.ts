// Writes a message column by column, so the hot path creates no object per row. A rare column
// starts at the first value that is not the default, so an ordinary order costs only what it uses.
// Lists and one JSON.stringify cost half as much as concatenating text.
import type { AnswerWord, Attempt } from "./charge.ts";
import { FIELDS, type FieldName, KINDS, type Kind, MESSAGE_VERSION, NIL_ID } from "./fields.ts";
import type { Order, Skip } from "./order.ts";
import type { PartWord } from "./part.ts";
import type { PartName, Row } from "./row.ts";
import type { Traceparent } from "./trace.ts";

/** Columns that most messages lack. */
type RareName = Exclude<FieldName, "order" | "at" | "fingerprint" | "sale" | "currency" | "lines">;

/** Collects the rows of one message. */
export class MessageWriter {
  /** User and id of each row, with a space between. */
  readonly names: string[] = [];
  private readonly times: number[] = [];
  // Every order has values here; other rows have the default.
  readonly fingerprints: string[] = [];
  private readonly sales: string[] = [];
  private readonly currencies: string[] = [];
  private readonly lines: number[] = [];
  private readonly skus: string[] = [];
  private readonly quantities: number[] = [];
  /** Columns may be shorter than the message: missing rows have the default. */
  private readonly rare: { [F in RareName]?: (string | number)[] } = {};
  /** One letter per row, from the first row that is not an order. */
  private kinds = "";
  private orders = 0;
  private skips = 0;

  get rows(): number {
    return this.names.length;
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

  /** Adds an order. `fingerprint`: fingerprintOf(order). */
  order(order: Order, fingerprint: string, atMs: number, trace?: Traceparent): void {
    this.orderAs("order", order, fingerprint, atMs, trace);
  }

  /** Adds an order under a new generation. Its number is used up, so it is written as 0. */
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
    this.put("seq", seq);
    this.skips++;
    this.bare("skip", `${user} ${NIL_ID}`, atMs, saleId);
  }

  cancel(user: string, id: string, atMs: number): void {
    this.bare("cancel", `${user} ${id}`, atMs);
  }

  /** Adds an answer about an attempt to charge. */
  answer(of: Attempt, answer: AnswerWord, detail: string, atMs: number): void {
    this.put("generation", of.generation);
    this.put("attempt", of.attempt);
    this.put("answer", answer);
    if (detail !== "") this.put("detail", detail);
    this.bare("answer", `${of.user} ${of.id}`, atMs);
  }

  /** Adds a service's report on a part. */
  part(of: PartName, report: PartWord, service: string, atMs: number): void {
    this.put("generation", of.generation);
    this.put("part", of.part);
    this.put("parts", of.of);
    this.put("report", report);
    this.put("service", service);
    if (report === "later") this.put("request", of.request ?? 1);
    this.bare("part", `${of.user} ${of.id}`, atMs);
  }

  /** The message as JSON text. Columns with only defaults are left out. */
  toString(): string {
    const { kinds, orders, skips, fingerprints, sales, currencies, lines } = this;
    // JSON.stringify leaves out undefined members.
    return JSON.stringify({
      v: MESSAGE_VERSION,
      kind: kinds === "" ? undefined : kinds,
      order: this.names,
      at: this.times,
      fingerprint: orders > 0 ? fingerprints : undefined,
      sale: orders > 0 || skips > 0 ? sales : undefined,
      currency: orders > 0 ? currencies : undefined,
      lines: orders > 0 ? lines : undefined,
      ...this.rareColumns(),
      sku: orders > 0 ? this.skus : undefined,
      qty: orders > 0 ? this.quantities : undefined,
    });
  }

  private rareColumns(): { readonly [F in RareName]?: readonly (string | number)[] } {
    for (const name in this.rare) this.pad(name as RareName);
    return this.rare;
  }

  /** The column, filled with defaults up to the current row. */
  private pad(name: RareName): (string | number)[] {
    this.rare[name] ??= [];
    const column = this.rare[name];
    while (column.length < this.names.length) column.push(FIELDS[name].default);
    return column;
  }

  /** Sets a value of the current row. */
  private put(name: RareName, value: string | number): void {
    this.pad(name).push(value);
  }

  private orderAs(
    kind: "order" | "redrive",
    order: Order,
    fingerprint: string,
    atMs: number,
    trace: Traceparent | undefined,
  ): void {
    const { saleId, currency, lines, seq, payment, metadata, maxTotal } = order;
    if (seq !== 0) this.put("seq", seq);
    if (payment !== "") this.put("payment", payment);
    if (metadata !== "") this.put("metadata", metadata);
    if (maxTotal !== 0) this.put("maxTotal", maxTotal);
    if (trace !== undefined) this.put("trace", trace);
    this.orders++;
    for (const { sku, qty } of lines) {
      this.skus.push(sku);
      this.quantities.push(qty);
    }
    this.row(kind, `${order.user} ${order.id}`, atMs, fingerprint, saleId, currency, lines.length);
  }

  /** Adds a row without an order's fields. */
  private bare(kind: Kind, name: string, atMs: number, saleId = ""): void {
    this.row(kind, name, atMs, "", saleId, "", 0);
  }

  private row(
    kind: Kind,
    name: string,
    atMs: number,
    fingerprint: string,
    saleId: string,
    currency: string,
    lines: number,
  ): void {
    if (kind !== "order" && this.kinds === "") this.kinds = KINDS.order.repeat(this.names.length);
    if (kind !== "order" || this.kinds !== "") this.kinds += KINDS[kind];
    this.names.push(name);
    this.times.push(atMs);
    this.fingerprints.push(fingerprint);
    this.sales.push(saleId);
    this.currencies.push(currency);
    this.lines.push(lines);
  }
}
