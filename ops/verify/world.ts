// A small true story for the checker's tests: what clients sent, and the ledger, queues and stock that follow from it. A test changes one
// thing in it and must see the checker say so.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Entry } from "../../core/domain/entry.ts";
import { type OrderRow, orderRowText, skipRowText } from "../../core/domain/order.ts";
import type { LiveStock } from "../../core/stock-store.ts";
import { Db } from "../../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import type { CallResult, HistoryLine, SentBody } from "../history.ts";
import type { CaptureRecord } from "./checks/charges.ts";
import type { PackedRecord } from "./checks/parts.ts";
import type { QueueDepth } from "./checks/rest.ts";
import { type Verdict, verify } from "./verify.ts";

const SALE = "spring";
const START_MS = 1_790_000_000_000;
const ITEM = { name: "item", category: "c", priceMinor: 100 };

interface Told {
  readonly at: number;
  readonly region?: string;
  readonly result?: CallResult;
  readonly status?: number;
}

export class World {
  readonly lines: HistoryLine[] = [];
  readonly queues: QueueDepth[] = [
    { region: "eu", queue: "orders.0", ready: 0, dead: false },
    { region: "eu", queue: "orders.dead", ready: 0, dead: true },
  ];
  readonly outbox = { length: 0 };
  readonly live = new Map<string, LiveStock>();
  /** What the payment provider has on record. */
  readonly captures: CaptureRecord[] = [];
  /** What the services have on record. */
  readonly packed: PackedRecord[] = [];
  private readonly reserved: { user: string; id: string; sku: string; qty: number }[] = [];
  private n = 0;
  private serial = 0;

  private constructor(
    private readonly dir: string,
    readonly url: string,
    private readonly writer: Awaited<ReturnType<typeof openLedgerWriter>>,
    private epoch: number,
  ) {}

  /** A ledger of one shard with a sale of 5 `mug`, 3 `cap` (at most 1 a user) and no orders. */
  static async make(
    dir: string,
    url = `sqlite:${join(dir, `${crypto.randomUUID()}.db`)}`,
  ): Promise<World> {
    const ledger = await openLedger({ url, shards: 1 });
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
    const writer = await openLedgerWriter(url);
    const world = new World(dir, url, writer, (await writer.takeShard(0, "w")).epoch);
    world.live.set("mug", live("mug", 5));
    world.live.set("cap", live("cap", 3));
    return world;
  }

  id(): string {
    return Bun.randomUUIDv7("hex", START_MS + this.serial++);
  }

  /** A client sends an order and is told, 10 ms later. */
  sent(
    user: string,
    id: string,
    body: SentBody,
    { at, region = "eu", result = "ok", status = 202 }: Told,
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
      body,
    });
  }

  told(user: string, id: string, state: string): void {
    this.lines.push({ op: "outcome", client: "c1", t: START_MS, user, id, state });
  }

  /** The ledger records one entry: rows and a word each, and what it let go. */
  async entry(
    rows: readonly string[],
    words: string,
    released: readonly (readonly [string, string])[] = [],
    kind = "decide",
  ): Promise<void> {
    const messages =
      rows.length === 0
        ? []
        : [
            {
              gateway: "g",
              batch: String(this.n + 1),
              body: `[${rows.join(",")}]`,
              outcomes: words,
            },
          ];
    const let_go = released.map(([row, state]) => ["g", JSON.parse(row), state] as never);
    await this.record({ kind: kind as "decide", messages, released: let_go, steps: [] });
    const states = words.split(",");
    const taken = [...rows.map((text, i) => [text, states[i]] as const), ...released].filter(
      ([, state]) => state === "reserved",
    );
    for (const [text] of taken) {
      const [, user, id, , , , , , lines] = JSON.parse(text) as OrderRow;
      this.reserved.push({ user, id, sku: String(lines[0]), qty: Number(lines[1]) });
    }
  }

  /** Every reserved order is charged, at once and in one entry, and the provider has it on record. */
  async pay(): Promise<void> {
    const rows = this.reserved.map(({ user, id }) => [
      "p",
      user,
      id,
      "",
      START_MS,
      "",
      0,
      1,
      1,
      "captured",
      "",
    ]);
    const steps = this.reserved.map(
      ({ user, id, sku, qty }) => ["paid", user, id, 1, 1, "g", SALE, [sku, qty], ""] as const,
    );
    const messages = [
      {
        gateway: "",
        batch: "",
        body: JSON.stringify(rows),
        outcomes: rows.map(() => "+paid").join(","),
      },
    ];
    await this.sql("UPDATE charges SET attempt = 1, status = 'started'");
    await this.record({ kind: "decide", messages, released: [], steps });
    await this.sql("UPDATE follow_ups SET done = 1");
    for (const { user, id, sku, qty } of this.reserved) {
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

  /** Every paid order is packed by a service, and the service has it on record. */
  async dispatch(): Promise<void> {
    const steps = this.reserved.flatMap(({ user, id, sku, qty }) => {
      const of = [user, id, 1, 1, "g", SALE, [sku, qty]] as const;
      this.packed.push({
        service: "depot",
        key: `${user}/${id}/1/1`,
        lines: JSON.stringify([{ sku, qty, category: ITEM.category }]),
      });
      return [
        ["claimed", ...of, "1 1 depot"] as const,
        ["done", ...of, "1 1 depot"] as const,
        ["dispatched", ...of, ""] as const,
      ];
    });
    await this.record({ kind: "decide", messages: [], released: [], steps });
  }

  private async record(
    entry: Pick<Entry, "kind" | "messages" | "released" | "steps">,
  ): Promise<void> {
    const n = ++this.n;
    const place = {
      shard: 0,
      id: `e${n}`,
      prev: n === 1 ? "genesis" : `e${n - 1}`,
      n,
      atMs: START_MS,
    };
    const [result] = await this.writer.record([
      { entry: { ...entry, ...place }, epoch: this.epoch },
    ]);
    if (result !== "recorded") throw new Error(`the story's entry ${n} was ${result}`);
  }

  /** Redis's counters follow the ledger. */
  hold(sku: string, units: number): void {
    const { total, held } = this.live.get(sku) as LiveStock;
    this.live.set(sku, live(sku, total, held + units));
  }

  /** Breaks the ledger, constraints or not. */
  async sql(...statements: readonly string[]): Promise<void> {
    const db = await Db.open(this.url);
    if (db.dialect === "sqlite") await db.run("PRAGMA ignore_check_constraints = ON");
    for (const statement of statements) await db.run(statement);
    await db.close();
  }

  async verify(
    options: { partial?: boolean; sliceBytes?: number; history?: boolean } = {},
  ): Promise<Verdict> {
    const path = join(this.dir, `${crypto.randomUUID()}.jsonl`);
    writeFileSync(path, this.lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const redis = {
      stock: async () => this.live,
      outboxLength: async () => this.outbox.length,
      parked: async () => ({ orders: 0, most: 0 }),
    };
    const queues = { depths: async () => this.queues };
    const { partial, sliceBytes } = options;
    const provider = async () => this.captures;
    return verify({
      ledgerUrl: this.url,
      history: options.history === false ? [] : [path],
      redis,
      queues,
      partial,
      sliceBytes,
      provider,
      packed: async () => this.packed,
    });
  }

  async close(): Promise<void> {
    await this.writer.close();
  }
}

export function body(sku: string, qty: number, seq = 0): SentBody {
  return { saleId: SALE, currency: "EUR", lines: [{ sku, qty }], ...(seq > 0 ? { seq } : {}) };
}

export function row(user: string, id: string, sent: SentBody): string {
  const order = { user, id, payment: "", maxTotal: 0, ...sent, seq: sent.seq ?? 0, metadata: "" };
  return orderRowText(order, START_MS);
}

export function skipRow(user: string, seq: number): string {
  return skipRowText({ user, saleId: SALE, seq }, START_MS);
}

function live(sku: string, total: number, held = 0, sold = 0): LiveStock {
  return { sku, total, available: total - held - sold, releasing: 0, held, sold };
}
