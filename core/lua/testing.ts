// Shared by the function library's tests: an open store on the tests' Redis, and rows by hand.
import { testRedis } from "../../test/services.ts";
import { newEntryId } from "../domain/entry-id.ts";
import { messageText } from "../domain/message.ts";
import { fingerprintOf, type Order } from "../domain/order.ts";
import type {
  AnswerRow,
  CancelRow,
  OrderRow,
  PartRow,
  RedriveRow,
  Row,
  SkipRow,
} from "../domain/row.ts";
import type { PriceChange, Sale } from "../domain/sale.ts";
import type { Traceparent } from "../domain/trace.ts";
import { realRuntime } from "../runtime/runtime.ts";
import type { Library } from "../stores/library.ts";
import { RebuildStore } from "../stores/rebuild-store.ts";
import { RedisStore } from "../stores/redis.ts";
import { type Claim, type Decision, ShardStore } from "../stores/shard-store.ts";
import { type LiveStock, StockStore, type SyncResult } from "../stores/stock-store.ts";

export const STORE_ID = "store-of-the-tests";
export const WINDOW_MS = 3_600_000;
export const SALE_ID = "s1";

export interface TestItem {
  readonly units: number;
  readonly limit?: number;
  readonly price?: number;
  readonly prices?: readonly PriceChange[];
  readonly withdrawn?: boolean;
}

/**
 * An empty Redis, opened for two shards under incarnation 1; this test owns shard 0 with epoch 1.
 */
export class Bench {
  readonly claim: Claim = { shard: 0, incarnation: 1, epoch: 1 };
  private constructor(
    readonly redis: RedisStore,
    readonly shards: ShardStore,
    readonly stock: StockStore,
    readonly rebuild: RebuildStore,
  ) {}

  static async open(library?: Library): Promise<Bench> {
    const redis = new RedisStore({ runtime: realRuntime, url: (await testRedis()).url, library });
    await redis.connect();
    const bench = new Bench(
      redis,
      new ShardStore(redis),
      new StockStore(redis),
      new RebuildStore(redis),
    );
    await bench.reset();
    return bench;
  }

  async reset(): Promise<void> {
    await this.redis.client.flushall();
    for (const shard of [0, 1]) {
      await this.rebuild.reset(STORE_ID, 1, { shard, epoch: 1, lastId: "genesis", lastN: 0 });
    }
    await this.rebuild.load(1, [0, 1]).ready();
  }

  /** Puts a sale into Redis, or changes it: units, limit and terms of each item. */
  async sale(
    items: Record<string, TestItem>,
    window = { opensAtMs: 0, closesAtMs: 9e12 },
    version = 1,
  ): Promise<SyncResult> {
    const all = Object.entries(items);
    const sale: Sale = {
      id: SALE_ID,
      name: "Sale",
      currency: "EUR",
      ...window,
      items: all.map(([sku, i]) => ({
        sku,
        name: sku,
        category: "c",
        priceMinor: i.price ?? 1,
        limitPerUser: i.limit ?? 0,
        initial: i.units,
        ...(i.prices ? { prices: i.prices } : {}),
        ...(i.withdrawn ? { withdrawn: true } : {}),
      })),
    };
    const none = { restocked: 0, available: 0, releasing: 0, held: 0, sold: 0 };
    return this.stock.syncSale(
      sale,
      all.map(([sku, i]) => ({ sku, initial: i.units, ...none })),
      version,
    );
  }

  /** Decides messages, each a list of rows or a text; throws when refused. */
  async decide(
    messages: readonly (readonly Row[] | string)[],
    force?: "rejected" | "stale",
  ): Promise<Decision> {
    const sent = messages.map((message, i) => ({
      gateway: "g",
      batch: String(i),
      body: typeof message === "string" ? message : messageText(message),
    }));
    const reply = await this.shards.decide(this.claim, sent, {
      entryId: newEntryId(realRuntime.randomBytes),
      dedupWindowMs: WINDOW_MS,
      force,
    });
    if (reply.word !== "decided") throw new Error(`decide answered ${reply.word}`);
    return reply;
  }

  /** The outcomes of one message. */
  async words(...rows: readonly Row[]): Promise<string[]> {
    return ((await this.decide([rows])).outcomes[0] as string).split(",");
  }

  async units(sku: string): Promise<{ available: number; held: number }> {
    const { available, held } = await this.live(sku);
    return { available, held };
  }

  async live(sku: string): Promise<LiveStock> {
    const live = (await this.stock.stock(SALE_ID))?.get(sku);
    if (!live) throw new Error(`Redis has no item ${sku}`);
    return live;
  }

  async close(): Promise<void> {
    await this.redis.close();
  }
}

export function row(
  user: string,
  lines: Record<string, number>,
  more: Partial<Order> & { at?: number; trace?: Traceparent } = {},
): OrderRow {
  const { at = Date.now(), trace, ...rest } = more;
  const order: Order = {
    user,
    id: Bun.randomUUIDv7(),
    saleId: SALE_ID,
    seq: 0,
    currency: "EUR",
    lines: Object.entries(lines).map(([sku, qty]) => ({ sku, qty })),
    payment: "",
    metadata: "",
    maxTotal: 0,
    ...rest,
  };
  const placed = { order, fingerprint: fingerprintOf(order), atMs: at };
  return { kind: "order", ...placed, ...(trace === undefined ? {} : { trace }) };
}

/** A message of one row, as text, with some of its columns replaced or added. */
export function bodyOf(of: Row, columns: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ ...JSON.parse(messageText([of])), ...columns });
}

/** A cancel, sent `afterMs` after now. */
export function cancel(user: string, id: string, afterMs = 0): CancelRow {
  return { kind: "cancel", user, id, atMs: Date.now() + afterMs };
}

/** What a payment worker heard of an attempt. */
export function answer(
  user: string,
  id: string,
  attempt: number,
  word: AnswerRow["answer"],
  detail = "",
  generation = 1,
): AnswerRow {
  const of = { user, id, generation, attempt };
  return { kind: "answer", ...of, answer: word, detail, atMs: Date.now() };
}

/** A service's claim of a part, or its report that it is done. */
export function part(
  user: string,
  id: string,
  word: "claim" | "done",
  service = "depot",
  at = 1,
  of = 1,
): PartRow {
  const name = { user, id, generation: 1, part: at, of };
  return { kind: "part", ...name, report: word, service, atMs: Date.now() };
}

/** An order's row, tried again under a generation. */
export function redrive({ order, ...placed }: OrderRow, generation: number): RedriveRow {
  return { ...placed, kind: "redrive", order: { ...order, seq: 0 }, generation };
}

export function skip(user: string, seq: number): SkipRow {
  return { kind: "skip", user, saleId: SALE_ID, seq, atMs: Date.now() };
}
