// SQLite's write-ahead log behind a long reader.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { testDir } from "../test/services.ts";
import { Db } from "./db.ts";

const MB = 1024 * 1024;

test("a log that grew behind a long reader is cut once the reader has ended", async () => {
  const file = join(testDir("wal"), "ledger.db");
  const db = await Db.open(realRuntime, `sqlite:${file}`);
  const logMb = () => statSync(`${file}-wal`).size / MB;
  await db.run("CREATE TABLE filler (id INTEGER PRIMARY KEY, text TEXT)");
  const fill = (id: number) =>
    db.run("INSERT OR REPLACE INTO filler VALUES (?, ?)", [id, "x".repeat(MB)]);
  const reader = new Database(file);
  reader.run("BEGIN");
  reader.query("SELECT COUNT(*) FROM filler").get();
  for (let i = 0; i < 40; i++) await fill(i);
  expect(logMb()).toBeGreaterThan(40);
  reader.run("COMMIT");
  reader.close();
  // The first checkpoints what the reader held, the next one starts a new log.
  for (let i = 0; i < 2; i++) await fill(i);
  expect(logMb()).toBeLessThanOrEqual(32);
  await db.close();
});
