// The ledger tells three things apart: entries that cannot be read, data that its database rejects,
// and trouble with the database.
import { afterAll, describe, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { Db, isConstraint } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryId, entryOf, orderRow, SHARDS, saleOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<unknown> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const urlOf = async (dialect: string) =>
  dialect === "sqlite" ? `sqlite:${testDir("unreadable")}/ledger.db` : freshDatabase();

async function fresh(dialect: string) {
  const url = await urlOf(dialect);
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(10) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  closing.push(ledger, writer);
  return { ledger, writer, epoch: (await writer.takeShard(0, "w")).epoch };
}

/** An entry of one message with this text. */
const garbled = (n: number, body: string) =>
  entryOf(0, n, [], "", { messages: [{ gateway: "g", batch: "1", body, outcomes: "reserved" }] });

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("an unreadable entry is kept as a dead letter, and later entries are recorded", async () => {
    const { ledger, writer, epoch } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    const entries = [
      garbled(1, '{"v":1,"order":["u1 x"],"at":[0x10]}'),
      garbled(2, "[1]"),
      entryOf(0, 3, [orderRow(userOf(0), Bun.randomUUIDv7(), 1)], "reserved,reserved"),
      entryOf(0, 4, [], "", { unreadable: '["id","x"]' }),
      entryOf(0, 5, [orderRow(userOf(0), id, 2)], "reserved"),
    ];
    const results = await writer.record(entries.map((entry) => ({ entry, epoch })));
    expect(results).toEqual([...Array(4).fill("unreadable"), "recorded"]);
    expect((await ledger.order(userOf(0), id))?.state).toBe("reserved");
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 8, held: 2 });
    expect((await ledger.positions())[0]).toMatchObject({ lastId: entryId(0, 5), lastN: 5 });
    const letters = (await ledger.followUps(0, 100)).filter((f) => f.routingKey === "orders.dead");
    expect(letters.map(({ body }) => JSON.parse(body).entry)).toEqual([1, 2, 3, 4]);
    expect(letters[0]?.body).toContain("0x10");
    expect(letters[3]?.body).toContain('[\\"id\\",\\"x\\"]');
    let replayed = 0;
    for await (const entries of ledger.replay(0)) replayed += entries.length;
    expect(replayed).toBe(5);
  }, 30_000);

  test("an unreadable entry that does not follow the last one is a fork", async () => {
    const { writer, epoch } = await fresh(dialect);
    const entry = garbled(2, "[[0x10]]");
    expect(await writer.record([{ entry, epoch }])).toEqual(["fork"]);
  }, 30_000);

  test("rejected data is recognized by the database's own error code", async () => {
    const db = await Db.open(realRuntime, await urlOf(dialect));
    closing.push(db);
    await db.run("CREATE TABLE t (a INTEGER PRIMARY KEY CHECK (a > 0), b TEXT NOT NULL)");
    const refusals = ["(0, 'b')", "(1, NULL)", "(2, 'b'), (2, 'b')"];
    for (const values of refusals) {
      const error = await db.run(`INSERT INTO t VALUES ${values}`).catch((e) => e);
      expect([values, isConstraint(error, dialect as "sqlite" | "postgres")]).toEqual([
        values,
        true,
      ]);
    }
    const trouble = await db.run("INSERT INTO nowhere VALUES (1)").catch((e) => e);
    expect(isConstraint(trouble, dialect as "sqlite" | "postgres")).toBe(false);
  }, 30_000);
});

test.each([
  ["sqlite", { code: "SQLITE_IOERR_SHMLOCK", errno: 2314 }, false],
  ["sqlite", { code: "SQLITE_CONSTRAINT_CHECK", errno: 275 }, true],
  ["sqlite", { code: "SQLITE_FULL", errno: 13, message: "constraint failed" }, false],
  ["postgres", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "23505" }, true],
  ["postgres", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "22021" }, true],
  ["postgres", { code: "ERR_POSTGRES_SERVER_ERROR", errno: "53100" }, false],
  ["postgres", { code: "ERR_POSTGRES_CONNECTION_CLOSED" }, false],
  ["postgres", { code: "22", errno: 2314 }, false],
] as const)("%s's %o is a rejection of the data: %p", (dialect, error, is) => {
  expect(isConstraint(error, dialect)).toBe(is);
});
