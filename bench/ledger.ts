// Measures what recording an order costs: `bun bench/ledger.ts [URL]`, the URL of an empty Postgres
// database. Without one it starts a Postgres of its own, and so knows its CPU time. SQLite lies in
// a temporary folder. Each is measured with one writer in alternation (ROUNDS), then SQLite with
// two processes, as with two workers. CPU is that of the whole process, including its thread and
// copying. Bytes are what goes into the database's log, for SQLite all that is written.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "../core/domain/at.ts";
import { type Entry, GENESIS } from "../core/domain/entry.ts";
import { MessageWriter } from "../core/domain/message-writer.ts";
import { fingerprintOf } from "../core/domain/order.ts";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { EntryToRecord } from "../ledger/contract.ts";
import { Db, dialectOf } from "../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { startPostgres } from "../services/postgres.ts";
import { usageOf } from "./intake/usage.ts";

export const SHARDS = 8;
const USERS = 10_000;
const SALE_ITEMS = 20;
/** A transaction of the standard workload: four entries of 500 orders, a tenth of them reserved. */
const ENTRIES_PER_RECORD = 4;
const ORDERS_PER_ENTRY = 500;
const RESERVED_EVERY = 10;
const RECORDS = Number(process.env.RECORDS ?? 100);
const ROUNDS = Number(process.env.ROUNDS ?? 2);
/** The first transactions compile code and plans. */
const WARM_UP = 10;
const PORT_TRIES = 50;
const PORT_RETRY_MS = 100;

export interface Figures {
  readonly orders: number;
  readonly seconds: number;
  readonly cpuMicrosPerOrder: number;
  /** CPU time of the database's own processes; 0 for SQLite, NaN if unknown. */
  readonly serverMicrosPerOrder: number;
  readonly bytesPerOrder: number;
  readonly recordMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

type Chains = ReadonlyMap<number, { epoch: number; prev: string; n: number }>;

/** Takes these shards and records full transactions one after the other. */
export async function measure({ url, pid }: Target, shards: readonly number[]): Promise<Figures> {
  const writer = await openLedgerWriter(realRuntime, url);
  const log = await Db.open(realRuntime, url);
  const users = usersOf(shards);
  const chains = new Map<number, { epoch: number; prev: string; n: number }>();
  for (const shard of shards) {
    const { epoch, lastId, lastN } = await writer.takeShard(shard, `bench-${process.pid}`);
    chains.set(shard, { epoch, prev: lastId, n: lastN });
  }
  const times: number[] = [];
  let cpuMicros = 0;
  let before = { server: NaN, bytes: NaN };
  for (let i = -WARM_UP; i < RECORDS; i++) {
    if (i === 0) before = { server: serverMicros(pid), bytes: await bytesLogged(log) };
    const batch = batchOf(i + WARM_UP, chains, users);
    const cpu = process.cpuUsage();
    const startedMs = realRuntime.monotonicMs();
    const results = await writer.record(batch);
    if (results.some((r) => r !== "recorded"))
      throw new Error(`not recorded: ${results.join(",")}`);
    if (i < 0) continue;
    times.push(realRuntime.monotonicMs() - startedMs);
    const used = process.cpuUsage(cpu);
    cpuMicros += used.user + used.system;
  }
  const orders = RECORDS * ENTRIES_PER_RECORD * ORDERS_PER_ENTRY;
  const bytes = (await bytesLogged(log)) - before.bytes;
  const server = dialectOf(url) === "sqlite" ? 0 : serverMicros(pid) - before.server;
  await writer.close();
  await log.close();
  return {
    orders,
    seconds: times.reduce((a, b) => a + b, 0) / 1000,
    cpuMicrosPerOrder: cpuMicros / orders,
    serverMicrosPerOrder: server / orders,
    bytesPerOrder: bytes / orders,
    recordMs: spread(times),
  };
}

function serverMicros(pid: number | undefined): number {
  return pid === undefined ? NaN : usageOf(pid).cpuMicros;
}

/** What has gone into the log so far: Postgres's, or all that this process has written. */
async function bytesLogged(db: Db): Promise<number> {
  if (db.dialect === "sqlite")
    return Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  const [row] = await db.run("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS bytes");
  return Number(row?.bytes);
}

function batchOf(i: number, chains: Chains, users: Map<number, string[]>): EntryToRecord[] {
  const shards = [...chains.keys()];
  return Array.from({ length: ENTRIES_PER_RECORD }, (_, e) => {
    const shard = at(shards, (i * ENTRIES_PER_RECORD + e) % shards.length);
    const chain = chains.get(shard) as { epoch: number; prev: string; n: number };
    const entry = makeEntry(shard, ++chain.n, chain.prev, users.get(shard) as string[]);
    chain.prev = entry.id;
    return { entry, epoch: chain.epoch };
  });
}

function spread(times: readonly number[]): Figures["recordMs"] {
  const sorted = [...times].sort((a, b) => a - b);
  const quantile = (q: number) =>
    Math.round(at(sorted, Math.min(sorted.length - 1, Math.floor(q * sorted.length))));
  return { p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
}

function makeEntry(shard: number, n: number, prev: string, users: readonly string[]): Entry {
  const rows = new MessageWriter();
  const words: string[] = [];
  for (let i = 0; i < ORDERS_PER_ENTRY; i++) {
    const user = at(users, Math.floor(realRuntime.random() * users.length));
    const lines = [{ sku: `sku-${i % SALE_ITEMS}`, qty: 1 }];
    const order = {
      user,
      id: realRuntime.uuidV7(),
      saleId: "bench",
      seq: 0,
      currency: "EUR",
      lines,
      payment: "tok_1",
      metadata: "",
      maxTotal: 0,
    };
    rows.order(order, fingerprintOf(order), realRuntime.wallMs());
    words.push(i % RESERVED_EVERY === 0 ? "reserved" : "sold_out");
  }
  const message = {
    gateway: "bench",
    batch: String(n),
    body: rows.toString(),
    outcomes: words.join(","),
  };
  return {
    shard,
    id: realRuntime.uuid(),
    prev,
    n,
    kind: "decide",
    atMs: realRuntime.wallMs(),
    messages: [message],
    released: [],
    steps: [],
  };
}

function usersOf(shards: readonly number[]): Map<number, string[]> {
  const users = new Map<number, string[]>(shards.map((shard) => [shard, []]));
  for (let i = 0; i < USERS; i++) users.get(shardOf(`user${i}`, SHARDS))?.push(`user${i}`);
  return users;
}

export async function prepare(url: string): Promise<void> {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const items = Array.from({ length: SALE_ITEMS }, (_, i) => ({
    ...{
      sku: `sku-${i}`,
      name: `Item ${i}`,
      category: "bench",
      priceMinor: 100,
      limitPerUser: 0,
      initial: 100_000_000,
    },
  }));
  const sale = {
    id: "bench",
    name: "Bench",
    currency: "EUR",
    opensAtMs: 0,
    closesAtMs: 9e12,
    items,
  };
  const result = await ledger.operate({ kind: "create", ref: "bench", sale }, "bench");
  if (result !== "done" || (await ledger.positions())[0]?.lastId !== GENESIS)
    throw new Error("the ledger must be empty");
  await ledger.close();
}

function print(what: string, f: Figures): void {
  const rate = Math.round(f.orders / f.seconds).toLocaleString("en");
  const { p50, p99, max } = f.recordMs;
  const server = f.serverMicrosPerOrder === 0 ? "" : `, database ${micros(f.serverMicrosPerOrder)}`;
  console.log(
    `${what}: ${rate} orders/s; per order: our CPU ${micros(f.cpuMicrosPerOrder)}${server}, ` +
      `${Math.round(f.bytesPerOrder)} bytes; transaction p50 ${p50} p99 ${p99} max ${max} ms`,
  );
}

function micros(value: number): string {
  return Number.isNaN(value) ? "unknown" : `${value.toFixed(1)} µs`;
}

/** Half of the shards in another process, which prints its figures as JSON. */
function other(url: string, shards: readonly number[]): Promise<Figures> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--half", url, shards.join(",")], {
    stderr: "inherit",
  });
  return new Response(child.stdout).json() as Promise<Figures>;
}

export interface Target {
  readonly url: string;
  /** The database's process, if it is known. */
  readonly pid?: number;
}

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "--half") {
    const target = { url: at(args, 1) };
    console.log(JSON.stringify(await measure(target, at(args, 2).split(",").map(Number))));
    return;
  }
  const all = Array.from({ length: SHARDS }, (_, i) => i);
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-ledger-"));
  chmodSync(dir, 0o755); // Postgres runs as another user and must be able to enter
  const server = args[0] === undefined ? await startPostgres(dir) : undefined;
  try {
    const sqlite = { url: `sqlite:${dir}/ledger.db` };
    const postgres = server
      ? { url: server.url("postgres"), pid: server.pid }
      : { url: at(args, 0) };
    await prepare(sqlite.url);
    await ready(postgres.url);
    await prepare(postgres.url);
    for (let round = 0; round < ROUNDS; round++) {
      print("sqlite, one writer", await measure(sqlite, all));
      print("postgres, one writer", await measure(postgres, all));
    }
    if (process.env.ONE_WRITER) return;
    const halves = [all.slice(0, SHARDS / 2), all.slice(SHARDS / 2)];
    const both = await Promise.all(halves.map((half) => other(sqlite.url, half)));
    for (const [i, half] of both.entries()) print(`sqlite, writer ${i + 1} of two`, half);
  } finally {
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A server that was just started listens a moment before it answers. */
export async function ready(url: string): Promise<void> {
  const db = await Db.open(realRuntime, url);
  for (let tries = 1; ; tries++) {
    try {
      await db.run("SELECT 1");
      return await db.close();
    } catch (error) {
      if (tries === PORT_TRIES) throw error;
      await realRuntime.sleep(PORT_RETRY_MS);
    }
  }
}

if (import.meta.main) await main(process.argv.slice(2));
