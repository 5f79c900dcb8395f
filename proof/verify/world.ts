// A small true story for the checker's tests: what clients sent, and the matching ledger, queues
// and stock. A test changes one thing and expects the checker to report it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry, OrderStep, StepWord } from "../../core/domain/entry.ts";
import { messageText } from "../../core/domain/message.ts";
import { fingerprintOf, type Line } from "../../core/domain/order.ts";
import type { OrderState } from "../../core/domain/outcome.ts";
import type { AnswerRow, OrderRow, Row, SkipRow } from "../../core/domain/row.ts";
import { uuidV7 } from "../../core/runtime/prng.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LiveStock } from "../../core/stores/stock-store.ts";
import { Db } from "../../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import type { CallResult, HistoryLine, SentBody } from "../history.ts";
import type { CaptureRecord } from "./checks/charges.ts";
import type { PackedRecord } from "./checks/parts.ts";
import type { QueueDepth } from "./checks/rest.ts";
import type { TimeRules } from "./checks/times.ts";
import { type Verdict, verify } from "./verify.ts";

const SALE = "spring";
export const START_MS = 1_790_000_000_000;
const ITEM = { name: "item", category: "c", priceMinor: 100 };

/** The checker looks long after the last event. */
const LATER_MS = 3_600_000;

interface Asked {
  readonly partial?: boolean;
  readonly sliceBytes?: number;
  readonly history?: boolean;
  readonly noProvider?: boolean;
  readonly rules?: TimeRules;
}

interface Told {
  readonly at: number;
  readonly region?: string;
  readonly result?: CallResult;
  readonly status?: number;
  readonly code?: string;
}

export class World {
  readonly lines: HistoryLine[] = [];
  readonly queues: QueueDepth[] = [
    { region: "eu", queue: "orders.0", ready: 0, dead: false },
    { region: "eu", queue: "orders.dead", ready: 0, dead: true, letters: [] },
  ];
  readonly outbox = { length: 0 };
  readonly live = new Map<string, LiveStock>();
  /** The payment provider's record. */
  readonly captures: CaptureRecord[] = [];
  /** The services' records. */
  readonly packed: PackedRecord[] = [];
  private readonly reserved: { user: string; id: string; line: Line }[] = [];
  /** Redis's clock when the next entry is decided. */
  atMs = START_MS;
  /** Entries so far, by shard. */
  private readonly n: number[] = [];
  private readonly epochs: number[] = [];
  private serial = 0;

  private constructor(
    private readonly dir: string,
    readonly url: string,
    private readonly writer: Awaited<ReturnType<typeof openLedgerWriter>>,
  ) {}

  /** A ledger with a sale of 5 `mug`, 3 `cap` (at most 1 per user) and no orders. */
  static async make(
    dir: string,
    url = `sqlite:${join(dir, `${realRuntime.uuid()}.db`)}`,
    shards = 1,
  ): Promise<World> {
    const ledger = await openLedger({ runtime: realRuntime, url, shards });
    const items = [
      { ...ITEM, sku: "mug", limitPerUser: 0, initial: 5 },
      { ...ITEM, sku: "cap", limitPerUser: 1, initial: 3 },
    ];
    const sale = {
      id: SALE,
      name: "Spring",
      currency: "EUR",
      opensAtMs: START_MS,
      closesAtMs: START_MS + 1e9,
      items,
    };
    await ledger.operate({ kind: "create", ref: "sale", sale }, "operator");
    await ledger.close();
    const writer = await openLedgerWriter(realRuntime, url);
    const world = new World(dir, url, writer);
    await world.rebuilt();
    world.live.set("mug", live("mug", 5));
    world.live.set("cap", live("cap", 3));
    return world;
  }

  id(): string {
    return uuidV7(START_MS + this.serial++, realRuntime.random);
  }

  /** A client sends an order and gets its answer 10 ms later. */
  sent(
    user: string,
    id: string,
    body: SentBody,
    { at, region = "eu", result = "ok", status = 202, code = "" }: Told,
  ): void {
    const send = 1 + this.lines.filter((l) => l.op === "order" && l.id === id).length;
    this.lines.push({
      op: "order",
      client: "c1",
      via: "ws",
      region,
      t0: at,
      t1: at + 10,
      user,
      id,
      send,
      result,
      status,
      code,
      body,
    });
  }

  told(user: string, id: string, state: string): void {
    this.lines.push({ op: "outcome", client: "c1", t: START_MS, user, id, state });
  }

  /** The ledger records one entry: rows, a word for each, and the orders it released. */
  async entry(
    rows: readonly Row[],
    words: string,
    released: readonly (readonly [OrderRow, OrderState])[] = [],
    kind = "decide",
    shard = 0,
  ): Promise<void> {
    const batch = String((this.n[shard] ?? 0) + 1);
    const body = rows.length === 0 ? "" : messageText(rows);
    const messages = body === "" ? [] : [{ gateway: "g", batch, body, outcomes: words }];
    const letGo = released.map(([{ kind: _, ...placed }, state]) => ({
      ...{ gateway: "g", state, ...placed },
    }));
    await this.record({ kind: kind as "decide", messages, released: letGo, steps: [] }, shard);
    const states = words.split(",");
    const taken = [...rows.map((row, i) => [row, states[i]] as const), ...released];
    for (const [row, state] of taken) {
      if (state !== "reserved" || row.kind !== "order") continue;
      const { user, id, lines } = row.order;
      this.reserved.push({ user, id, line: lines[0] as Line });
    }
  }

  /**
   * Charges every reserved order at once, in one entry, and adds the charges to the provider's
   * record.
   */
  async pay(): Promise<void> {
    const rows = this.reserved.map(({ user, id }): AnswerRow => {
      const of = { user, id, generation: 1, attempt: 1 };
      return { kind: "answer", ...of, answer: "captured", detail: "", atMs: START_MS };
    });
    const steps = this.reserved.map(({ user, id, line }) => stepOf("paid", user, id, [line]));
    const outcomes = rows.map(() => "+paid").join(",");
    const messages = [{ gateway: "", batch: "", body: messageText(rows), outcomes }];
    await this.sql("UPDATE charges SET attempt = 1, status = 'started'");
    await this.record({ kind: "decide", messages, released: [], steps });
    await this.sql("UPDATE follow_ups SET done = 1");
    for (const { user, id, line } of this.reserved) {
      const { sku, qty } = line;
      const charge = {
        key: `${user}/${id}/1/1`,
        amount: qty * ITEM.priceMinor,
        currency: "EUR",
        status: "captured",
        refunded: false,
      };
      this.captures.push(charge);
      const { total, sold } = this.live.get(sku) as LiveStock;
      this.live.set(sku, live(sku, total, 0, sold + qty));
    }
  }

  /** A service packs every paid order and has it on record. */
  async dispatch(): Promise<void> {
    const steps = this.reserved.flatMap(({ user, id, line }) => {
      const lines = JSON.stringify([{ ...line, category: ITEM.category }]);
      this.packed.push({ service: "depot", key: `${user}/${id}/1/1`, lines });
      return [
        stepOf("claimed", user, id, [line], { detail: "1 1 depot" }),
        stepOf("done", user, id, [line], { detail: "1 1 depot" }),
        stepOf("dispatched", user, id, [line]),
      ];
    });
    await this.record({ kind: "decide", messages: [], released: [], steps });
  }

  /** The ledger records steps of orders: `what`, the user, the order, its lines, and more. */
  async happened(
    what: StepWord,
    [user, id]: readonly [user: string, id: string],
    [sku, qty]: readonly [sku: string, qty: number],
    { detail = "", attempt = 1, kind = "decide", shard = 0 } = {},
  ): Promise<void> {
    const step = stepOf(what, user, id, [{ sku, qty }], { attempt, detail });
    await this.record({ kind: kind as "decide", messages: [], released: [], steps: [step] }, shard);
  }

  /** A gap is over: the user's next number is this one, and nothing was released. */
  async passed(user: string, next: number): Promise<void> {
    const step = { what: "passed", user, saleId: SALE, next } as const;
    await this.record({ kind: "unpark", messages: [], released: [], steps: [step] });
  }

  private async record(
    entry: Pick<Entry, "kind" | "messages" | "released" | "steps">,
    shard = 0,
  ): Promise<void> {
    const n = (this.n[shard] ?? 0) + 1;
    this.n[shard] = n;
    const id = (m: number) => (m === 0 ? "genesis" : shard === 0 ? `e${m}` : `e${m} of ${shard}`);
    const place = { shard, id: id(n), prev: id(n - 1), n, atMs: this.atMs };
    const [result] = await this.writer.record([
      { entry: { ...entry, ...place }, epoch: this.epochs[shard] ?? 1 },
    ]);
    if (result !== "recorded") throw new Error(`the story's entry ${n} was ${result}`);
  }

  /** A shard gets a new owner. */
  async taken(shard = 0): Promise<void> {
    this.epochs[shard] = (await this.writer.takeShard(shard, "w")).epoch;
  }

  /**
   * Redis is rebuilt at the story's time, because it is new or was lost, and every shard has a new
   * owner.
   */
  async rebuilt(): Promise<void> {
    const db = await Db.open(realRuntime, this.url);
    const [store] = await db.run("SELECT incarnation FROM store");
    await this.writer.beginRebuild(Number(store?.incarnation));
    await db.run("UPDATE rebuilds SET at_ms = ? WHERE incarnation = ?", [
      this.atMs,
      Number(store?.incarnation) + 1,
    ]);
    const shards = await db.run("SELECT shard FROM shards");
    await db.close();
    for (const { shard } of shards) await this.taken(Number(shard));
  }

  /** The ledger recorded every entry at its decision time instead of the test's. */
  async recordedInTime(): Promise<void> {
    await this.sql("UPDATE entries SET recorded_ms = at_ms");
  }

  /** Redis's counters follow the ledger. */
  hold(sku: string, units: number): void {
    const { total, held } = this.live.get(sku) as LiveStock;
    this.live.set(sku, live(sku, total, held + units));
  }

  /** Adds a dead letter. */
  letter(queue: string, user: string, order: string, reason = "given up", id = order): void {
    const letters = [{ id, reason, user, order }];
    this.queues.push({ region: "us", queue, ready: 1, dead: true, letters });
  }

  /** Changes the ledger, even against its constraints. */
  async sql(...statements: readonly string[]): Promise<void> {
    const db = await Db.open(realRuntime, this.url);
    if (db.dialect === "sqlite") await db.run("PRAGMA ignore_check_constraints = ON");
    for (const statement of statements) await db.run(statement);
    await db.close();
  }

  async verify(options: Asked = {}): Promise<Verdict> {
    const path = join(this.dir, `${realRuntime.uuid()}.jsonl`);
    writeFileSync(path, this.lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const redis = {
      stock: async () => this.live,
      outboxLength: async () => this.outbox.length,
      parked: async () => ({ orders: 0, most: 0 }),
    };
    const queues = { depths: async () => this.queues };
    const { partial, sliceBytes, rules } = options;
    const provider = options.noProvider ? undefined : async () => this.captures;
    return verify({
      ledgerUrl: this.url,
      history: options.history === false ? [] : [path],
      redis,
      queues,
      partial,
      sliceBytes,
      provider,
      packed: async () => this.packed,
      rules,
      now: () => this.atMs + LATER_MS,
    });
  }

  async close(): Promise<void> {
    await this.writer.close();
  }
}

export function body(sku: string, qty: number, seq = 0): SentBody {
  return { saleId: SALE, currency: "EUR", lines: [{ sku, qty }], ...(seq > 0 ? { seq } : {}) };
}

export function row(user: string, id: string, sent: SentBody): OrderRow {
  const order = { user, id, payment: "", maxTotal: 0, ...sent, seq: sent.seq ?? 0, metadata: "" };
  return { kind: "order", order, fingerprint: fingerprintOf(order), atMs: START_MS };
}

export function skipRow(user: string, seq: number): SkipRow {
  return { kind: "skip", user, saleId: SALE, seq, atMs: START_MS };
}

function stepOf(
  what: StepWord,
  user: string,
  id: string,
  lines: readonly Line[],
  { attempt = 1, detail = "" } = {},
): OrderStep {
  const terms = { generation: 1, attempt, gateway: "g", saleId: SALE };
  return { what, user, id, ...terms, lines, detail };
}

function live(sku: string, total: number, held = 0, sold = 0): LiveStock {
  return { sku, total, available: total - held - sold, releasing: 0, held, sold };
}
