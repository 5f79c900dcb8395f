import { afterAll, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Db } from "../ledger/db.ts";
import { openLedger } from "../ledger/open.ts";
import { emptyDatabase, testDir } from "../test/services.ts";
import { type BenchLedger, defaultLedger, openBenchLedger } from "./bench-ledger.ts";

/** Postgres takes seconds to create its files. */
const TIMEOUT_MS = 60_000;
const open: BenchLedger[] = [];
afterAll(async () => {
  for (const ledger of open) await ledger.close();
});

async function names(url: string, what: "datname FROM pg_database" | "tablename FROM pg_tables") {
  const db = await Db.open(realRuntime, url);
  const rows = await db.run(`SELECT ${what}`);
  await db.close();
  return rows.flatMap((row) => Object.values(row).map(String));
}

test("a bench uses Postgres if SLUICE_LEDGER_URL names one", () => {
  expect(defaultLedger({ SLUICE_LEDGER_URL: "postgres://a@b/c" })).toBe("postgres");
  expect(defaultLedger({ SLUICE_LEDGER_URL: "sqlite:/data/ledger.db" })).toBe("sqlite");
  expect(defaultLedger({})).toBe("sqlite");
});

test(
  "on a given server it makes a database for each stack, and drops them at the end",
  async () => {
    const given = await emptyDatabase();
    const before = await names(given, "tablename FROM pg_tables");
    const ledger = await openBenchLedger("postgres", testDir("b"), { SLUICE_LEDGER_URL: given });
    const [first, second] = [await ledger.fresh(), await ledger.fresh()];
    if (!first || !second) throw new Error("no databases");
    expect(new Set([given, first, second]).size).toBe(3);
    const used = await openLedger({ runtime: realRuntime, url: first, shards: 2 });
    expect(await names(given, "tablename FROM pg_tables")).toEqual(before);
    await used.close();
    await ledger.close();
    const left = await names(given, "datname FROM pg_database");
    expect(left.filter((name) => name.startsWith("sluice_bench_"))).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  "without a given server it starts one that nobody else uses, and stops it",
  async () => {
    const ledger = await openBenchLedger("postgres", testDir("own"), {});
    open.push(ledger);
    const url = await ledger.fresh();
    expect(ledger.name).toMatch(/^PostgreSQL \d.*, private$/);
    expect(ledger.pid).toBeGreaterThan(1);
    const used = await openLedger({ runtime: realRuntime, url: url ?? "", shards: 2 });
    await used.close();
    await ledger.close();
    const again = openLedger({ runtime: realRuntime, url: url ?? "", shards: 2 });
    expect(await again.catch(() => "away")).toBe("away");
  },
  TIMEOUT_MS,
);

test("SQLite lies in the stack's own folder, whatever the setting names", async () => {
  const env = { SLUICE_LEDGER_URL: "sqlite:/somebody/elses.db" };
  const ledger = await openBenchLedger("sqlite", testDir("lite"), env);
  expect(await ledger.fresh()).toBeUndefined();
});
