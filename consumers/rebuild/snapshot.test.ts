// Snapshots of a shard's journal, on both databases: a rebuild loads the same from a snapshot as
// from the whole journal.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Entry } from "../../core/domain/entry.ts";
import { Bench, cancel, row, skip } from "../../core/lua/testing.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db } from "../../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import type { Stretch } from "../../ledger/replay.ts";
import type { SqlLedger } from "../../ledger/sql-ledger.ts";
import { saleOf } from "../../ledger/test-entries.ts";
import { freshDatabase, testDir } from "../../test/services.ts";
import { loadJournal } from "./load-journal.ts";
import { makeSnapshot } from "./make-snapshot.ts";
import type { Replayed } from "./replayed.ts";

const SLOW_MS = 60_000;
const DAY_MS = 86_400_000;
const pace = { rest: async () => undefined };
const closing: { close(): Promise<unknown> }[] = [];
afterAll(async () => {
  for (const one of closing.reverse()) await one.close();
});

/** A history of one shard with something of every kind. Its last two entries are 2 days younger. */
let entries: Entry[];
beforeAll(async () => {
  const bench = await Bench.open();
  closing.push(bench);
  await bench.sale({ a: { units: 90, limit: 9 } });
  const now = Date.now();
  const old = () => Bun.randomUUIDv7("hex", now - DAY_MS);
  const [first, early] = [row("u1", { a: 1 }), Bun.randomUUIDv7()];
  const ahead = row("u9", { a: 1 }, { id: Bun.randomUUIDv7("hex", now + 30 * DAY_MS) });
  const batches = [
    [first, row("u1", { a: 2 }), row("u2", { a: 1 }, { seq: 1 }), row("u2", { a: 1 }, { seq: 4 })],
    [row("u3", { a: 1 }, { currency: "USD" }), cancel("u4", early), skip("u2", 3), ahead],
    [row("u5", { a: 1 }), row("u1", { a: 9 }), cancel("u1", first.order.id)],
    [row("u2", { a: 1 }, { seq: 2 }), row("u4", { a: 1 }, { id: early }), row("u6", { a: 3 })],
    [row("u6", { a: 3 }), row("u7", { a: 1 }, { seq: 2 }), row("u6", { a: 4 }, { id: old() })],
  ];
  const decided: Entry[] = [];
  for (const rows of batches) {
    const { entry } = await bench.decide([rows]);
    if (entry) decided.push(entry);
  }
  entries = decided.map((e) => ({ ...e, atMs: e.n <= 3 ? e.atMs - 2 * DAY_MS : e.atMs }));
}, SLOW_MS);

/** All that a rebuild loads, in a form that can be compared. */
function known(replayed: Replayed) {
  const { seen, turns, bought, open, lanes, marks, rateWaits, redriven } = replayed;
  const bare = [...open].map(([name, { placed, ...order }]) => {
    const { payment: _, metadata: __, maxTotal: ___, ...kept } = placed.order;
    return [name, order, { ...placed, order: kept }];
  });
  return { seen, turns, bought, open: bare, lanes, marks, rateWaits, redriven };
}

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  async function recorded() {
    const url =
      dialect === "sqlite" ? `sqlite:${testDir("snap")}/ledger.db` : await freshDatabase();
    const ledger = (await openLedger({ runtime: realRuntime, url, shards: 2 })) as SqlLedger;
    const sale = saleOf(90);
    const items = sale.items.map((item) => ({ ...item, limitPerUser: 9 }));
    await ledger.operate({ kind: "create", ref: "r", sale: { ...sale, items } }, "test");
    const writer = await openLedgerWriter(realRuntime, url);
    const db = await Db.open(realRuntime, url);
    closing.push(ledger, writer, db);
    const { epoch } = await writer.takeShard(0, "w");
    const results = await writer.record(entries.map((entry) => ({ entry, epoch })));
    expect(new Set(results)).toEqual(new Set(["recorded"]));
    return { ledger, db };
  }

  const snapshot = (db: Db, n: number) =>
    makeSnapshot(db, { shard: 0, n, sinceMs: Date.now() - DAY_MS }, { pace, log: () => undefined });

  /** What a rebuild loads, which entries it reads, and why it skips snapshots. */
  async function load(ledger: SqlLedger, wholeJournal = false) {
    const read: number[] = [];
    const flaws: unknown[] = [];
    const spied = {
      snapshots: async (shard: number) => (wholeJournal ? [] : ledger.snapshots(shard)),
      snapshotChunks: ledger.snapshotChunks.bind(ledger),
      firstEntrySince: ledger.firstEntrySince.bind(ledger),
      replay: async function* (shard: number, stretch?: Stretch) {
        for await (const some of ledger.replay(shard, stretch)) {
          read.push(...some.map(({ n }) => n));
          yield some;
        }
      },
    };
    const options = {
      ledger: spied,
      isLimited: () => true,
      log: (_: string, { flaw }: Record<string, unknown>) => flaws.push(flaw),
      check: () => undefined,
    };
    const replayed = await loadJournal(options, 0, Date.now() - DAY_MS);
    return { known: known(replayed), read, flaws };
  }

  test(
    "a snapshot at any entry, with the entries after it, equals the whole journal",
    async () => {
      const { ledger, db } = await recorded();
      const whole = await load(ledger, true);
      expect(whole.read).toEqual([1, 2, 3, 4, 5]);
      for (let n = 1; n <= 5; n++) {
        expect(await snapshot(db, n)).toBe(n);
        const from = await load(ledger);
        expect(from.known).toEqual(whole.known);
        // Entries 4 and 5 lie in the dedup window, so they show which orders are remembered.
        expect(from.read).toEqual(n < 3 ? [4, 5, 3, 2].slice(0, 5 - n).sort() : [4, 5]);
      }
    },
    SLOW_MS,
  );

  test(
    "two snapshots are kept; a damaged, outdated or unchained one is skipped, then the next",
    async () => {
      const { ledger, db } = await recorded();
      const whole = await load(ledger, true);
      for (let n = 1; n <= 4; n++) await snapshot(db, n);
      expect((await ledger.snapshots(0)).map(({ n }) => n)).toEqual([4, 3]);
      const flawed = async (text: string, ...expected: string[]) => {
        await db.run(text);
        const { known: found, flaws } = await load(ledger);
        expect(found).toEqual(whole.known);
        expect(flaws).toEqual(expected);
      };
      await flawed(
        "UPDATE snapshot_chunks SET body = REPLACE(body, '1', '2') WHERE n = 4 AND chunk = 0",
        "chunks are missing or altered",
      );
      await flawed("UPDATE snapshots SET version = 99 WHERE n = 4", "version 99");
      await flawed(
        "UPDATE snapshots SET id = 'another' WHERE n = 3",
        "version 99",
        "its entry is not in the journal",
      );
      await flawed("DELETE FROM snapshots WHERE n = 4", "its entry is not in the journal");
    },
    SLOW_MS,
  );

  test(
    "an unfinished snapshot is ignored, and the next one replaces it",
    async () => {
      const { ledger, db } = await recorded();
      const whole = await load(ledger, true);
      await db.run("INSERT INTO snapshot_chunks (shard, n, chunk, body) VALUES (0, 4, 0, '{')");
      expect((await load(ledger)).known).toEqual(whole.known);
      expect(await snapshot(db, 4)).toBe(4);
      expect((await load(ledger)).known).toEqual(whole.known);
      expect((await load(ledger)).flaws).toEqual([]);
    },
    SLOW_MS,
  );
});
