// A ledger whose reads for clients run in a thread of their own (reader-thread.ts). What only
// operators use runs here.
import type { Ledger } from "./contract.ts";
import type { Db } from "./db.ts";
import type { ReaderOpening } from "./reader-thread.ts";
import { SqlLedger } from "./sql-ledger.ts";
import { ThreadCalls } from "./thread-calls.ts";
import type { ThreadOptions } from "./threaded-writer.ts";

/** A read takes milliseconds. Clients do not wait longer than this anyway. */
const ANSWER_MS = 10_000;
/** Reads that wait for the thread. Beyond this they are refused at once: 503. */
export const MAX_READS_WAITING = 512;

type Read =
  | "order"
  | "ordersOf"
  | "bills"
  | "orderPage"
  | "events"
  | "bill"
  | "attempt"
  | "followed"
  | "sales"
  | "saleVersions"
  | "catalogueVersion"
  | "stock"
  | "routes"
  | "ordersWithId"
  | "ordersOfAll"
  | "orderStory"
  | "revenueAfter"
  | "salesSince"
  | "timeline"
  | "history";

export class ThreadedReader extends SqlLedger {
  private readonly thread: ThreadCalls;

  constructor(
    db: Db,
    opening: ReaderOpening,
    private readonly options: ThreadOptions = {},
  ) {
    super(db, opening.storeId, opening.shards);
    this.thread = new ThreadCalls({
      runtime: db.runtime,
      script: options.script ?? new URL("./reader-thread.ts", import.meta.url).href,
      open: opening,
      name: "reader",
      maxWaiting: MAX_READS_WAITING,
    });
  }

  override order(...of: Parameters<Ledger["order"]>): ReturnType<Ledger["order"]> {
    return this.ask("order", of);
  }

  override ordersOf(...of: Parameters<Ledger["ordersOf"]>): ReturnType<Ledger["ordersOf"]> {
    return this.ask("ordersOf", of);
  }

  override orderPage(...of: Parameters<Ledger["orderPage"]>): ReturnType<Ledger["orderPage"]> {
    return this.ask("orderPage", of);
  }

  override events(...of: Parameters<Ledger["events"]>): ReturnType<Ledger["events"]> {
    return this.ask("events", of);
  }

  override bill(...of: Parameters<Ledger["bill"]>): ReturnType<Ledger["bill"]> {
    return this.ask("bill", of);
  }

  override bills(...of: Parameters<Ledger["bills"]>): ReturnType<Ledger["bills"]> {
    return this.ask("bills", of);
  }

  override attempt(...of: Parameters<Ledger["attempt"]>): ReturnType<Ledger["attempt"]> {
    return this.ask("attempt", of);
  }

  override followed(...of: Parameters<Ledger["followed"]>): ReturnType<Ledger["followed"]> {
    return this.ask("followed", of);
  }

  override sales(...of: Parameters<Ledger["sales"]>): ReturnType<Ledger["sales"]> {
    return this.ask("sales", of);
  }

  override saleVersions(
    ...of: Parameters<Ledger["saleVersions"]>
  ): ReturnType<Ledger["saleVersions"]> {
    return this.ask("saleVersions", of);
  }

  override catalogueVersion(
    ...of: Parameters<Ledger["catalogueVersion"]>
  ): ReturnType<Ledger["catalogueVersion"]> {
    return this.ask("catalogueVersion", of);
  }

  override stock(...of: Parameters<Ledger["stock"]>): ReturnType<Ledger["stock"]> {
    return this.ask("stock", of);
  }

  override routes(...of: Parameters<Ledger["routes"]>): ReturnType<Ledger["routes"]> {
    return this.ask("routes", of);
  }

  override ordersWithId(
    ...of: Parameters<Ledger["ordersWithId"]>
  ): ReturnType<Ledger["ordersWithId"]> {
    return this.ask("ordersWithId", of);
  }

  override ordersOfAll(
    ...of: Parameters<Ledger["ordersOfAll"]>
  ): ReturnType<Ledger["ordersOfAll"]> {
    return this.ask("ordersOfAll", of);
  }

  override orderStory(...of: Parameters<Ledger["orderStory"]>): ReturnType<Ledger["orderStory"]> {
    return this.ask("orderStory", of);
  }

  override revenueAfter(
    ...of: Parameters<Ledger["revenueAfter"]>
  ): ReturnType<Ledger["revenueAfter"]> {
    return this.ask("revenueAfter", of);
  }

  override salesSince(...of: Parameters<Ledger["salesSince"]>): ReturnType<Ledger["salesSince"]> {
    return this.ask("salesSince", of);
  }

  override timeline(...of: Parameters<Ledger["timeline"]>): ReturnType<Ledger["timeline"]> {
    return this.ask("timeline", of);
  }

  override history(...of: Parameters<Ledger["history"]>): ReturnType<Ledger["history"]> {
    return this.ask("history", of);
  }

  override async close(): Promise<void> {
    await this.thread.close();
    await super.close();
  }

  private ask<Name extends Read>(
    name: Name,
    of: Parameters<Ledger[Name]>,
  ): ReturnType<Ledger[Name]> {
    const { answerMs = ANSWER_MS } = this.options;
    return this.thread.call(answerMs, name, of) as ReturnType<Ledger[Name]>;
  }
}
