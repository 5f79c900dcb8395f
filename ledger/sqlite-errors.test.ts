// A real SQLite in states in which it refuses to serve. The word for each crosses a thread.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { realRuntime } from "../core/runtime/runtime.ts";
import { testDir } from "../test/services.ts";
import { Db, LedgerUnavailable } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { SHARDS, saleOf } from "./test-entries.ts";
import { ThreadedWriter } from "./threaded-writer.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of closing.splice(0)) await thing.close();
});

const stateOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "up",
    (error) => (error instanceof LedgerUnavailable ? error.state : error),
  );

async function opened(): Promise<string> {
  const url = `sqlite:${testDir("states")}/ledger.db`;
  closing.push(await openLedger({ runtime: realRuntime, url, shards: SHARDS }));
  return url;
}

test.each([
  ["PRAGMA max_page_count = 1", "disk_full"],
  ["PRAGMA query_only = 1", "read_only"],
])("a writer's thread under '%s' is %s", async (pragma, state) => {
  const url = await opened();
  writeFileSync(`${url.slice("sqlite:".length)}.pragma`, pragma);
  const script = new URL("./limited.child.ts", import.meta.url).href;
  const writer = new ThreadedWriter(realRuntime, url, { script });
  closing.push(writer);
  const key = (n: number) => ({
    ...{ user: "ann", key: `k${n}`, id: crypto.randomUUID() },
    fingerprint: "x".repeat(64),
  });
  const claims = Array.from({ length: 500 }, (_, n) => key(n));
  expect(await stateOf(writer.claimKeys(claims, 0))).toBe(state);
});

test("without a thread it is known too; an error of a statement is none of them", async () => {
  const db = await Db.open(realRuntime, await opened());
  closing.push(db);
  await db.run("PRAGMA query_only = 1");
  expect(await stateOf(db.run("DELETE FROM routes"))).toBe("read_only");
  expect(await stateOf(db.transaction((tx) => tx.run("DELETE FROM routes")))).toBe("read_only");
  await db.run("PRAGMA query_only = 0");
  await db.run("PRAGMA max_page_count = 1");
  const sale = JSON.stringify(saleOf(1)).repeat(1_000);
  const full = db.run("INSERT INTO routes (category, region, service) VALUES (?, '', 's')", [sale]);
  expect(await stateOf(full)).toBe("disk_full");
  expect(await stateOf(db.run("SELECT nothing FROM nowhere"))).toHaveProperty(
    "name",
    "SQLiteError",
  );
  const twice = "INSERT INTO store (one, id, shards, incarnation) VALUES (1, 'x', 2, 0)";
  expect(await stateOf(db.run(twice))).toHaveProperty("name", "SQLiteError");
});

test("a file that is missing or no ledger is named so, also by a thread", async () => {
  const url = `sqlite:${testDir("states")}/none/ledger.db`;
  const other = `sqlite:${testDir("states")}/ledger.db`;
  writeFileSync(
    other.slice("sqlite:".length),
    "no database, but a text that is long enough".repeat(99),
  );
  for (const [at, state] of [
    [url, "no_database"],
    [other, "damaged"],
  ] as const) {
    expect(await stateOf(openLedger({ runtime: realRuntime, url: at, shards: SHARDS }))).toBe(
      state,
    );
    const writer = await openLedgerWriter(realRuntime, at);
    closing.push(writer);
    expect(await stateOf(writer.takeShard(0, "w"))).toBe(state);
  }
});
