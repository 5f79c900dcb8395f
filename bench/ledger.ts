// Measures how fast the ledger records orders: `bun bench/ledger.ts [URL of an empty Postgres
// database]`. SQLite is measured in a temporary folder, with one writer and then with two
// processes, as with two workers. CPU is that of the whole process, including its thread and
// copying.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "../core/domain/at.ts";
import { type Entry, GENESIS } from "../core/domain/entry.ts";
import { MessageWriter } from "../core/domain/message-writer.ts";
import { fingerprintOf } from "../core/domain/order.ts";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { EntryToRecord } from "../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";

const SHARDS = 8;
const USERS = 10_000;
const SALE_ITEMS = 20;
/** A transaction of the standard workload: four entries of 500 orders, a tenth of them reserved. */
const ENTRIES_PER_RECORD = 4;
const ORDERS_PER_ENTRY = 500;
const RESERVED_EVERY = 10;
const RECORDS = Number(process.env.RECORDS ?? 150);

interface Figures {
  readonly orders: number;
  readonly seconds: number;
  readonly cpuMicrosPerOrder: number;
  readonly recordMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** Takes these shards and records full transactions one after the other. */
async function measure(url: string, shards: readonly number[]): Promise<Figures> {
  const writer = await openLedgerWriter(realRuntime, url);
  const users = usersOf(shards);
  const chains = new Map<number, { epoch: number; prev: string; n: number }>();
  for (const shard of shards) {
    const { epoch, lastId, lastN } = await writer.takeShard(shard, `bench-${process.pid}`);
    chains.set(shard, { epoch, prev: lastId, n: lastN });
  }
  const times: number[] = [];
  let cpuMicros = 0;
  for (let i = 0; i < RECORDS; i++) {
    const batch: EntryToRecord[] = [];
    for (let e = 0; e < ENTRIES_PER_RECORD; e++) {
      const shard = at(shards, (i * ENTRIES_PER_RECORD + e) % shards.length);
      const chain = chains.get(shard) as { epoch: number; prev: string; n: number };
      const entry = makeEntry(shard, ++chain.n, chain.prev, users.get(shard) as string[]);
      chain.prev = entry.id;
      batch.push({ entry, epoch: chain.epoch });
    }
    const cpu = process.cpuUsage();
    const startedMs = realRuntime.monotonicMs();
    const results = await writer.record(batch);
    times.push(realRuntime.monotonicMs() - startedMs);
    const used = process.cpuUsage(cpu);
    cpuMicros += used.user + used.system;
    if (results.some((r) => r !== "recorded"))
      throw new Error(`not recorded: ${results.join(",")}`);
  }
  await writer.close();
  const orders = RECORDS * ENTRIES_PER_RECORD * ORDERS_PER_ENTRY;
  return {
    orders,
    seconds: times.reduce((a, b) => a + b, 0) / 1000,
    cpuMicrosPerOrder: cpuMicros / orders,
    recordMs: spread(times),
  };
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

async function prepare(url: string): Promise<void> {
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
  console.log(
    `${what}: ${rate} orders/s, ${f.cpuMicrosPerOrder.toFixed(1)} µs CPU per order, ` +
      `transaction p50 ${p50} p99 ${p99} max ${max} ms`,
  );
}

/** Half of the shards in another process, which prints its figures as JSON. */
function other(url: string, shards: readonly number[]): Promise<Figures> {
  const child = Bun.spawn([process.execPath, import.meta.path, "--half", url, shards.join(",")], {
    stderr: "inherit",
  });
  return new Response(child.stdout).json() as Promise<Figures>;
}

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === "--half") {
    console.log(JSON.stringify(await measure(at(args, 1), at(args, 2).split(",").map(Number))));
    return;
  }
  const all = Array.from({ length: SHARDS }, (_, i) => i);
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-ledger-"));
  try {
    const url = `sqlite:${dir}/ledger.db`;
    await prepare(url);
    print("sqlite, one writer", await measure(url, all));
    const halves = await Promise.all([
      other(url, all.slice(0, SHARDS / 2)),
      other(url, all.slice(SHARDS / 2)),
    ]);
    for (const [i, half] of halves.entries()) print(`sqlite, writer ${i + 1} of two`, half);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  if (args[0] === undefined) return;
  await prepare(args[0]);
  print("postgres, one writer", await measure(args[0], all));
}

await main(process.argv.slice(2));
