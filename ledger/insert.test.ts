// How rows get into both databases: by COPY, as arrays, as lists of values, one by one.
import { afterAll, describe, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { emptyDatabase, freshDatabase, testDir } from "../test/services.ts";
import { Db, insertRows, isConstraint, type Runner, together, type Value } from "./db.ts";
import { migrate } from "./migrations.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, userOf } from "./test-entries.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("insert")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;

/** Far less than the silence after which a ledger counts as unavailable. */
const SOON_MS = 3_000;

const NASTY = [
  ...[
    "",
    " ",
    "a\tb",
    "a\nb",
    "a\rb",
    "\\",
    "\\N",
    "\\.",
    "NULL",
    "null",
    "{",
    "}",
    "{}",
    ",",
    '"',
  ],
  ...["'", '"\\"', '{"a":[1,2]}', "ä€😀", "\\t", "a\\", "\u0001", "%s", "$1", "?", "-1"],
] as const;

describe.each(databases)("%s", (dialect, freshUrl) => {
  async function fresh(): Promise<Db> {
    const db = await Db.open(realRuntime, await freshUrl());
    open.push(db);
    await db.run("CREATE TABLE t (n BIGINT PRIMARY KEY CHECK (n >= 0), a TEXT, b TEXT NOT NULL)");
    return db;
  }

  test.each([
    [1, ""],
    [7, ""],
    [63, ""],
    [64, ""],
    [700, ""],
    [1, "RETURNING n"],
    [200, "ON CONFLICT (n) DO UPDATE SET a = excluded.a RETURNING n"],
  ])("%p rows with any text come back unchanged (%p)", async (count, rest) => {
    const db = await fresh();
    const rows = Array.from({ length: count }, (_, i) => {
      const text = NASTY[i % NASTY.length] as string;
      return { n: 2 ** 45 + i, a: i % 3 === 0 ? null : text, b: text };
    });
    const flat = rows.flatMap(({ n, a, b }): Value[] => [n, a, b]);
    const returned = await db.transaction((tx) => insertRows(tx, "t", ["n", "a", "b"], flat, rest));
    expect(returned.map(({ n }) => Number(n))).toEqual(rest === "" ? [] : rows.map(({ n }) => n));
    const found = await db.run("SELECT n, a, b FROM t ORDER BY n");
    expect(found.map((row) => ({ ...row, n: Number(row.n) })) as unknown).toEqual(rows);
  });

  test.each([3, 100])(
    "of %p rows with a wrong one none stays, and it is rejected",
    async (count) => {
      const db = await fresh();
      const flat = Array.from({ length: count }, (_, i): Value[] => [i === 1 ? -1 : i, "a", "b"]);
      const error = await db
        .transaction((tx) => insertRows(tx, "t", ["n", "a", "b"], flat.flat()))
        .catch((e: unknown) => e);
      expect(isConstraint(error, dialect)).toBe(true);
      expect(await db.run("SELECT n FROM t")).toEqual([]);
    },
  );

  test("statements that do not wait run in order, and the first failure undoes all", async () => {
    const db = await fresh();
    const insert = (n: number) => ["INSERT INTO t VALUES (?, 'a', 'b')", [n]] as const;
    await db.transaction((tx) =>
      together([
        tx.run(...insert(1)),
        tx.run("UPDATE t SET n = 2 WHERE n = 1"),
        insertRows(tx, "t", ["n", "a", "b"], manyFrom(1_000)),
        tx.run("UPDATE t SET n = 3 WHERE n = 1000"),
      ]),
    );
    // Each of these fails if it is done before the one it follows.
    await db.transaction((tx) =>
      together([
        tx.run("DELETE FROM t WHERE n >= ?", [1_001]),
        insertRows(tx, "t", ["n", "a", "b"], manyFrom(1_001)),
        tx.run("DELETE FROM t WHERE n >= ? AND b = ?", [1_001, "b"]),
        insertRows(tx, "t", ["n", "a", "b"], manyFrom(1_001).slice(0, 30)),
        tx.run("DELETE FROM t WHERE n > ? AND b = ? AND a IS NULL", [1_000, "b"]),
        insertRows(tx, "t", ["n", "a", "b"], manyFrom(1_001)),
      ]),
    );
    expect(Number((await db.run("SELECT COUNT(*) AS c FROM t WHERE n IN (2, 3)"))[0]?.c)).toBe(2);
    const error = await db
      .transaction((tx) =>
        together([tx.run(...insert(7)), tx.run(...insert(-1)), tx.run(...insert(8))]),
      )
      .catch((e: unknown) => e);
    expect(isConstraint(error, dialect)).toBe(true);
    expect(await db.run("SELECT n FROM t WHERE n IN (7, 8)")).toEqual([]);
  });

  test("after a failure nothing more is sent, and the failure is reported at once", async () => {
    const db = await fresh();
    const columns = ["n", "a", "b"];
    const wrong = [-1, null, "b"];
    const failing = [
      (tx: Runner) => insertRows(tx, "t", columns, [...manyFrom(1), ...wrong]),
      (tx: Runner) => insertRows(tx, "t", columns, wrong),
    ];
    for (const fail of failing) {
      const startedMs = performance.now();
      let ends: PromiseSettledResult<unknown>[] = [];
      const error = await db
        .transaction(async (tx) => {
          const sent = fail(tx);
          const many = insertRows(tx, "t", columns, manyFrom(1_000));
          const run = tx.run("UPDATE t SET n = 3 WHERE n = 1000");
          ends = await Promise.allSettled([sent, many, run]);
          await sent;
        })
        .catch((e: unknown) => e);
      expect(isConstraint(error, dialect)).toBe(true);
      // Postgres would answer what is sent after a failure with an error of its own.
      expect(ends.map((end) => end.status === "rejected" && end.reason === error)).toEqual([
        true,
        true,
        true,
      ]);
      expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
      expect(await db.run("SELECT n FROM t")).toEqual([]);
    }
  }, 60_000);

  test("rows outside a transaction are all inserted, or none is", async () => {
    const db = await fresh();
    const flat = [...[1, null, "b"], ...[2, null, "b"], ...[-1, null, "b"]];
    const error = await insertRows(db, "t", ["n", "a", "b"], flat).catch((e: unknown) => e);
    expect(isConstraint(error, dialect)).toBe(true);
    expect(await db.run("SELECT n FROM t")).toEqual([]);
    await insertRows(db, "t", ["n", "a", "b"], flat.slice(0, 6));
    expect(await db.run("SELECT n FROM t")).toHaveLength(2);
  });

  test("an order that is recorded already is refused among many, and alone", async () => {
    const url = await freshUrl();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const writer = await openLedgerWriter(realRuntime, url);
    open.push(ledger, writer);
    await ledger.operate({ kind: "create", ref: "r1", sale: saleOf(10) }, "op");
    const [a, b] = [await writer.takeShard(0, "w"), await writer.takeShard(1, "w")];
    const rows = Array.from({ length: 200 }, () => orderRow(userOf(0), Bun.randomUUIDv7(), 1));
    const words = rows.map(() => "sold_out").join(",");
    const first = { entry: entryOf(0, 1, rows, words), epoch: a.epoch };
    expect(await writer.record([first])).toEqual(["recorded"]);
    const again = { entry: entryOf(0, 2, rows, words), epoch: a.epoch };
    const others = rows.map(() => orderRow(userOf(1), Bun.randomUUIDv7(), 1));
    const beside = { entry: entryOf(1, 1, others, words), epoch: b.epoch };
    expect(await writer.record([again, beside])).toEqual(["refused", "recorded"]);
    expect(await ledger.ordersOf(userOf(1), { limit: 500 })).toHaveLength(200);
  }, 60_000);

  test("many reserved orders that are recorded already are refused at once", async () => {
    const url = await freshUrl();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const writer = await openLedgerWriter(realRuntime, url);
    open.push(ledger, writer);
    await ledger.operate({ kind: "create", ref: "r1", sale: saleOf(1_000) }, "op");
    const { epoch } = await writer.takeShard(0, "w");
    const rows = Array.from({ length: 150 }, () => orderRow(userOf(0), Bun.randomUUIDv7(), 1));
    const words = rows.map(() => "reserved").join(",");
    const entry = (n: number) => ({ entry: entryOf(0, n, rows, words), epoch });
    expect(await writer.record([entry(1)])).toEqual(["recorded"]);
    const startedMs = performance.now();
    expect(await writer.record([entry(2)])).toEqual(["refused"]);
    expect(performance.now() - startedMs).toBeLessThan(SOON_MS);
  }, 60_000);
});

function manyFrom(n: number): Value[] {
  return Array.from({ length: 100 }, (_, i): Value[] => [n + i, null, "b"]).flat();
}

/** The schema before that. */
const WITHOUT_LZ4 = 8;

test("Postgres compresses long texts with lz4, also in a ledger from before", async () => {
  const url = await emptyDatabase();
  const db = await Db.open(realRuntime, url);
  open.push(db);
  const compression = `SELECT attcompression FROM pg_attribute
    WHERE attrelid = 'messages'::regclass AND attname = 'body'`;
  await migrate(db, WITHOUT_LZ4);
  expect(await db.run(compression)).not.toEqual([{ attcompression: "l" }]);
  const body = "long ".repeat(10_000);
  const rows = { table: "messages", columns: MESSAGE, flat: [1, 0, 1, "g", "1", body, ""] };
  await db.insert({ ...rows, rest: "" });
  await (await openLedger({ runtime: realRuntime, url, shards: SHARDS })).close();
  expect(await db.run(compression)).toEqual([{ attcompression: "l" }]);
  expect(await db.run("SELECT body FROM messages")).toEqual([{ body }]);
}, 30_000);

const MESSAGE = ["id", "shard", "n", "gateway", "batch", "body", "outcomes"];

test("after a failed statement SQLite runs no further one of the transaction", async () => {
  const db = await Db.open(realRuntime, `sqlite:${testDir("insert")}/ledger.db`);
  open.push(db);
  await db.run("CREATE TABLE t (n INTEGER)");
  // As a full disk does: SQLite itself rolls the transaction back.
  await db.run(
    `CREATE TRIGGER full BEFORE INSERT ON t WHEN NEW.n = 2
     BEGIN SELECT RAISE(ROLLBACK, 'full'); END`,
  );
  const insert = (n: number) => ["INSERT INTO t VALUES (?)", [n]] as const;
  const error = await db
    .transaction((tx) => together([1, 2, 3].map((n) => tx.run(...insert(n)))))
    .catch((e: Error) => e);
  expect((error as Error).message).toContain("full");
  expect(await db.run("SELECT n FROM t")).toEqual([]);
  await db.run(...insert(4));
  expect(await db.run("SELECT n FROM t")).toEqual([{ n: 4 }]);
});

test("the error that counts is the one that is not a consequence of another", async () => {
  const consequence = Object.assign(new Error("aborted"), { errno: "25P02" });
  const cause = Object.assign(new Error("check"), { errno: "23514" });
  const failing = [Promise.reject(consequence), Promise.reject(cause), Promise.resolve()];
  expect(await together(failing).catch((e: unknown) => e)).toBe(cause);
  expect(await together([Promise.reject(consequence)]).catch((e: unknown) => e)).toBe(consequence);
});
