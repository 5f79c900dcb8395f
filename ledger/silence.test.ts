// A ledger that stops answering while its connections stay open.
import { afterEach, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { Db, LedgerUnavailable, together } from "./db.ts";
import { openLedger } from "./open.ts";
import { SHARDS } from "./test-entries.ts";
import { ThreadedWriter } from "./threaded-writer.ts";
import { DirectWriter } from "./writer.ts";

const SILENCE_MS = 1_000;
/** Generous, so that a slow machine does not look like a hung call. */
const SOON_MS = 20_000;
const LIMIT_MS = 90_000;

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of undo.splice(0).reverse()) await close();
}, LIMIT_MS);

/** A database with the ledger's schema, and a connection to it that can be stalled. */
async function silentable(): Promise<{ url: string; proxy: TcpProxy; db: Db }> {
  const url = await freshDatabase();
  await (await openLedger({ runtime: realRuntime, url, shards: SHARDS })).close();
  const proxy = await TcpProxy.to(url);
  const db = await Db.open(realRuntime, proxy.through(url), SILENCE_MS);
  undo.push(
    () => proxy.close(),
    () => db.close(),
  );
  return { url, proxy, db };
}

async function failure(work: Promise<unknown>): Promise<Error> {
  const startedMs = performance.now();
  const error = await work.then(
    () => new Error("it did not fail"),
    (reason: Error) => reason,
  );
  expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
  return error;
}

test(
  "a statement that Postgres does not answer fails, and the next goes over a new connection",
  async () => {
    const { proxy, db } = await silentable();
    await db.run("SELECT 1");
    proxy.stall("answers");
    const error = await failure(db.run("SELECT 2"));
    expect(error).toBeInstanceOf(LedgerUnavailable);
    expect(error.message).toBe("no answer within 1000 ms");
    proxy.renew();
    expect((await db.run("SELECT 3 AS n"))[0]).toEqual({ n: 3 });
  },
  LIMIT_MS,
);

test(
  "a Postgres that accepts a connection and never answers is given up as well",
  async () => {
    const { proxy, db } = await silentable();
    proxy.stall("requests", "answers");
    await failure(db.run("SELECT 1"));
    proxy.renew();
    expect((await db.run("SELECT 3 AS n"))[0]).toEqual({ n: 3 });
  },
  LIMIT_MS,
);

test(
  "a snapshot that gets no more answers fails in the end",
  async () => {
    const { url, proxy } = await silentable();
    // Twenty minutes pass in two seconds.
    const fast = 600;
    const runtime = {
      ...realRuntime,
      monotonicMs: () => realRuntime.monotonicMs() * fast,
      startTimer: (call: () => void, ms: number) => realRuntime.startTimer(call, ms / fast),
    };
    const db = await Db.open(runtime, proxy.through(url));
    undo.push(() => db.close());
    const silenced = failure(
      db.snapshot(async (tx) => {
        await tx.run("SELECT 1");
        proxy.stall("requests", "answers");
        await tx.run("SELECT 2");
      }),
    );
    expect(await silenced).toBeInstanceOf(LedgerUnavailable);
    proxy.renew();
  },
  LIMIT_MS,
);

test(
  "a transaction that gets no more answers fails, and keeps no row locked",
  async () => {
    const { url, proxy, db } = await silentable();
    const writer = new DirectWriter(db);
    const silenced = failure(
      db.transaction(async (tx) => {
        await tx.run("SELECT epoch FROM shards WHERE shard = 0 FOR UPDATE");
        proxy.stall("requests", "answers");
        await tx.run("UPDATE shards SET owner = 'silent' WHERE shard = 0");
      }),
    );
    await silenced;
    expect(await failure(writer.takeShard(0, "same"))).toBeInstanceOf(LedgerUnavailable);
    // Another worker's connection works. Its deadline is longer than Postgres waits for a silent
    // client.
    const other = await Db.open(realRuntime, url, SOON_MS);
    undo.push(() => other.close());
    expect((await new DirectWriter(other).takeShard(0, "other")).epoch).toBe(1);
  },
  LIMIT_MS,
);

test(
  "rows that Postgres does not confirm fail, and the next go over a new connection",
  async () => {
    const { proxy, db } = await silentable();
    await db.run("CREATE TABLE t (n BIGINT)");
    const rows = { table: "t", columns: ["n"], flat: Array(100_000).fill(1), rest: "" };
    await db.insert({ ...rows, flat: [1] });
    proxy.stall("answers");
    const error = await failure(db.transaction((tx) => tx.insert(rows)));
    expect(error).toBeInstanceOf(LedgerUnavailable);
    proxy.renew();
    await db.insert(rows);
    expect(Number((await db.run("SELECT COUNT(*) AS c FROM t"))[0]?.c)).toBe(100_001);
  },
  LIMIT_MS,
);

test(
  "a Postgres that falls silent in the middle of rows is given up",
  async () => {
    const { proxy, db } = await silentable();
    await db.run("CREATE TABLE t (n BIGINT)");
    const rows = { table: "t", columns: ["n"], flat: Array(100).fill(1), rest: "" };
    const error = await failure(
      db.transaction(async (tx) => {
        await tx.insert(rows);
        proxy.stall("requests", "answers");
        await together([tx.insert(rows), tx.run("SELECT 1")]);
      }),
    );
    expect(error).toBeInstanceOf(LedgerUnavailable);
    proxy.renew();
    expect(Number((await db.run("SELECT COUNT(*) AS c FROM t"))[0]?.c)).toBe(0);
  },
  LIMIT_MS,
);

test(
  "a transaction may last longer than the deadline if each statement is answered",
  async () => {
    const { db } = await silentable();
    const rows = await db.transaction(async (tx) => {
      for (let i = 0; i < 3; i++) await tx.run("SELECT pg_sleep(0.6)");
      return tx.run("SELECT 1 AS n");
    });
    expect(rows[0]).toEqual({ n: 1 });
  },
  LIMIT_MS,
);

test(
  "a hung SQLite thread is terminated; the next call has a new one, and no lock remains",
  async () => {
    const url = `sqlite:${testDir("ledger")}/ledger.db`;
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const script = new URL("./silent.child.ts", import.meta.url).href;
    const writer = new ThreadedWriter(realRuntime, url, { answerMs: SILENCE_MS, script });
    undo.push(
      () => ledger.close(),
      () => writer.close(),
    );
    expect(await failure(writer.takeShard(0, "w"))).toBeInstanceOf(LedgerUnavailable);
    let taken: number | undefined;
    for (let i = 0; i < 10 && taken === undefined; i++)
      taken = (await writer.takeShard(0, "w").catch(() => undefined))?.epoch;
    expect(taken).toBe(1);
  },
  LIMIT_MS,
);
