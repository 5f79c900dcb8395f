// What invalid messages cost orders. Orders are offered at a steady rate twice, the second time
// beside messages of every invalid kind, sent by a user that may publish orders.
//
//   bun bench/garbage.ts [seconds] [orders a second] [garbage messages a second]
import { BrokerConnection } from "../broker/connection.ts";
import { depth } from "../broker/inspect.ts";
import { Publisher } from "../broker/publisher.ts";
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersKey } from "../broker/topology.ts";
import { at } from "../core/domain/at.ts";
import { messageText } from "../core/domain/message.ts";
import { orderRow } from "../core/domain/row.ts";
import { uuidV7 } from "../core/runtime/prng.ts";
import { realRuntime, type Timer } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { makeFolder, removeFolder } from "../proof/demo/folder.ts";
import type { Stack } from "../proof/demo/stack.ts";
import { settled } from "./intake/settled.ts";
import { type LoadResult, runLoad } from "./load/run.ts";
import { onStack } from "./load/stack.ts";

export interface GarbageOptions {
  readonly dir: string;
  readonly seconds: number;
  readonly rate: number;
  readonly garbagePerSecond: number;
  readonly say: (line: string) => void;
}

export interface GarbageResult {
  readonly without: LoadResult;
  readonly beside: LoadResult;
  readonly garbage: { readonly sent: number; readonly dead: number };
  /** The ledger's incarnation, which goes up with each rebuild. */
  readonly rebuilds: number;
}

const SOCKETS = 8;
const TARGET_WAIT_MS = 2_000;
const DECLARE_NOTHING = { exchanges: [], queues: [], bindings: [] };
const TICK_MS = 10;
/** All garbage must be dead-lettered within this after the last message. */
const DEAD_WITHIN_MS = 60_000;

export async function benchGarbage(options: GarbageOptions): Promise<GarbageResult> {
  const { dir, seconds, rate, say } = options;
  const stackOptions = { dir, targetWaitMs: TARGET_WAIT_MS, workerRate: 0, say };
  return onStack(stackOptions, {}, async (stack, redis) => {
    const load = { rate, seconds, sockets: SOCKETS, allReserved: false };
    const incarnation = async () => Number(await redis.client.hget("{0}:meta", "inc"));
    say("warming up");
    await runLoad(stack, { ...load, seconds: 3 }, () => undefined);
    const before = await incarnation();
    say("without garbage");
    const without = await runLoad(stack, load, () => undefined);
    say("with garbage");
    const source = await GarbageSource.open(stack, options.garbagePerSecond);
    const beside = await runLoad(stack, load, () => undefined);
    const garbage = await source.close();
    await settled(stack, redis);
    return { without, beside, garbage, rebuilds: (await incarnation()) - before };
  });
}

/** Publishes garbage to all shards at a steady rate until closed. */
class GarbageSource {
  private sent = 0;
  private readonly startedMs = realRuntime.monotonicMs();
  private readonly timer: Timer;
  private open: Promise<unknown>[] = [];

  private constructor(
    private readonly connection: BrokerConnection,
    private readonly publisher: Publisher,
    private readonly shards: number,
    private readonly perSecond: number,
  ) {
    this.timer = realRuntime.startInterval(() => this.fill(), TICK_MS);
  }

  static async open(stack: Stack, perSecond: number): Promise<GarbageSource> {
    const env = { SLUICE_REGIONS: stack.regions.map((r) => `${r.name}=${r.url}`).join(",") };
    const [region] = readSettings({ ...env, ...stack.services.roleEnv("gateway") }).regions;
    if (!region) throw new Error("no broker");
    const connection = new BrokerConnection({
      runtime: realRuntime,
      region,
      topology: DECLARE_NOTHING,
    });
    const publisher = new Publisher(connection, { confirmTimeoutMs: 10_000 });
    await publisher.start();
    await connection.start();
    return new GarbageSource(connection, publisher, stack.shards, perSecond);
  }

  async close(): Promise<{ sent: number; dead: number }> {
    realRuntime.stopTimer(this.timer);
    const outcomes = await Promise.all(this.open);
    const sent = outcomes.filter((outcome) => outcome === "confirmed").length;
    const dead = async () => (await depth(this.connection, ORDERS_DEAD))?.ready ?? 0;
    const end = realRuntime.monotonicMs() + DEAD_WITHIN_MS;
    while ((await dead()) < sent && realRuntime.monotonicMs() < end) await realRuntime.sleep(100);
    const found = await dead();
    await this.connection.close();
    return { sent, dead: found };
  }

  private fill(): void {
    const due = Math.floor(((realRuntime.monotonicMs() - this.startedMs) / 1_000) * this.perSecond);
    for (; this.sent < due; this.sent++) {
      const body = at(GARBAGE, this.sent % GARBAGE.length);
      this.open.push(
        this.publisher.publish(
          ORDERS_EXCHANGE,
          ordersKey(this.sent % this.shards),
          Buffer.from(body()),
        ),
      );
    }
  }
}

/** A message of one order, some columns of which are others. */
const columns = (more: Readonly<Record<string, unknown>>): string => {
  const lines = [{ sku: "plenty-1", qty: 1 }];
  const of = {
    user: "u1",
    id: uuidV7(realRuntime.wallMs(), realRuntime.random),
    saleId: "bench",
    currency: "EUR",
    lines,
  };
  const order = { ...of, seq: 0, payment: "", metadata: "", maxTotal: 0 };
  return JSON.stringify({
    ...JSON.parse(messageText([orderRow(order, realRuntime.wallMs())])),
    ...more,
  });
};

/** A row of format 0. */
const row = (more: Readonly<Record<number, unknown>>): unknown[] => {
  const id = realRuntime.uuidV7();
  const sound = [
    "o",
    "u1",
    id,
    "f",
    realRuntime.wallMs(),
    "bench",
    0,
    "EUR",
    ["plenty-1", 1],
    "",
    "",
    0,
  ];
  return sound.map((value, at) => more[at] ?? value);
};

/** One of each kind. The orders among them are rejected, each with its own dead letter. */
const GARBAGE: readonly (() => string)[] = [
  () => "garbage",
  () => "[]",
  () => '{"a":1}',
  () => columns({ at: [-1] }),
  () => columns({ at: [1e15] }),
  () => columns({ order: [`u1 ${"-".repeat(36)}`] }),
  () => columns({ v: 2 }),
  () => columns({ v: "1" }),
  () => columns({ price: [1] }),
  () => columns({ lines: [1e9] }),
  () => columns({ lines: [-1] }),
  () => columns({ sale: "bench" }),
  () => columns({ seq: [null] }),
  () => columns({ kind: "f" }),
  () => columns({ payment: ["\ud800"] }),
  () => columns({ metadata: ["a\0b"] }),
  () => columns({}).replace('"EUR"', "NaN"),
  () => columns({}).replace('"EUR"', "0x1"),
  () => columns({ order: Array(900).fill("u1") }),
  () => `{"v":1,"order":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
  () => JSON.stringify([row({ 4: -1 })]),
  () => JSON.stringify([row({ 4: 1e15 })]),
  () => JSON.stringify([row({ 2: "-".repeat(36) })]),
  () => JSON.stringify([row({})]).replace(",0]]", ",0x1]]"),
  () => JSON.stringify([row({})]).replace('"EUR"', '"E\nR"'),
  () => JSON.stringify(Array.from({ length: 200 }, () => row({ 0: "x" }))),
  () => `[${"[".repeat(5_000)}${"]".repeat(5_000)}]`,
  () => JSON.stringify(["x".repeat(50_000)]),
];

if (import.meta.main) {
  const [seconds = 30, rate = 5_000, garbagePerSecond = 300] = process.argv.slice(2).map(Number);
  const dir = makeFolder();
  try {
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const result = await benchGarbage({ dir, seconds, rate, garbagePerSecond, say });
    const { without, beside, garbage, rebuilds } = result;
    const of = ({ accepted, undecided, refused, latency }: LoadResult) => ({
      accepted,
      undecided,
      refused,
      decidedMs: latency.decided,
    });
    console.log(JSON.stringify({ without: of(without), beside: of(beside), garbage, rebuilds }));
  } finally {
    removeFolder(dir);
  }
}
