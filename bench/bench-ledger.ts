// The ledger of a bench. SQLite lies in the bench's own folder. On Postgres each stack gets a new
// database, dropped at the end, so nothing that exists is touched. The server is the one that
// SLUICE_LEDGER_URL names, or a private one in the bench's folder.
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { SettingError } from "../core/settings/settings.ts";
import { Db, dialectOf } from "../ledger/db.ts";
import { Stack, type StackOptions } from "../proof/demo/stack.ts";
import { startPostgres } from "../services/postgres.ts";

export const LEDGERS = ["sqlite", "postgres"] as const;
export type LedgerKind = (typeof LEDGERS)[number];

export interface BenchLedger {
  readonly kind: LedgerKind;
  /** For pages: which database, and whose. */
  readonly name: string;
  /** Its main process, if it runs on this machine as a part of the bench. */
  readonly pid?: number;
  /** SLUICE_LEDGER_URL of a new, empty ledger; undefined: SQLite in the stack's folder. */
  fresh(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** A new server accepts connections a moment before it accepts commands. */
const START_LOOKS = 50;
const START_LOOK_MS = 100;
/** Other users may enter the folder and reach their own in it, but not list it. */
const MAY_ENTER = 0o711;
/** A stack is stopped before its database is dropped, but its connections may end later. */
const DROP = "DROP DATABASE IF EXISTS";

/** The ledger that a bench uses unless told otherwise. */
export function defaultLedger(env: Readonly<Record<string, string | undefined>>): LedgerKind {
  return isPostgres(env.SLUICE_LEDGER_URL) ? "postgres" : "sqlite";
}

function isPostgres(url: string | undefined): url is string {
  return url !== undefined && url !== "" && dialectOf(url) === "postgres";
}

export async function openBenchLedger(
  kind: LedgerKind,
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<BenchLedger> {
  if (kind === "sqlite") return SQLITE;
  const { SLUICE_LEDGER_URL: named } = env;
  return isPostgres(named) ? onServer(named) : onPrivateServer(dir);
}

export const SQLITE: BenchLedger = {
  kind: "sqlite",
  name: "SQLite",
  fresh: async () => undefined,
  close: async () => undefined,
};

async function onPrivateServer(dir: string): Promise<BenchLedger> {
  // Root starts Postgres as another user, who must reach its folder.
  chmodSync(dir, MAY_ENTER);
  const server = await startPostgres(join(dir, "postgres"));
  try {
    const ledger = await onServer(server.url("postgres"));
    const close = () => ledger.close().finally(() => server.stop());
    return { ...ledger, name: `${ledger.name}, private`, pid: server.pid, close };
  } catch (error) {
    await server.kill();
    throw error;
  }
}

async function onServer(url: string): Promise<BenchLedger> {
  const version = await onceReady(() => withDb(url, versionOf));
  const own: string[] = [];
  return {
    kind: "postgres",
    name: `PostgreSQL ${version}`,
    fresh: async () => {
      const database = `sluice_bench_${realRuntime.uuid().replaceAll("-", "").slice(0, 12)}`;
      await withDb(url, (db) => db.run(`CREATE DATABASE ${database}`)).catch(refused);
      own.push(database);
      return urlOf(url, database);
    },
    close: async () => {
      for (const database of own.splice(0))
        await withDb(url, (db) => db.run(`${DROP} ${database} WITH (FORCE)`));
    },
  };
}

async function versionOf(db: Db): Promise<string> {
  const [row] = await db.run("SHOW server_version");
  return String(row?.server_version).split(" ", 1).join("");
}

function refused(error: Error): never {
  throw new SettingError(
    `SLUICE_LEDGER_URL: the bench makes databases of its own there and may not: ${error.message}`,
  );
}

function urlOf(url: string, database: string): string {
  const own = new URL(url);
  own.pathname = `/${database}`;
  return own.href;
}

async function withDb<T>(url: string, work: (db: Db) => Promise<T>): Promise<T> {
  const db = await Db.open(realRuntime, url);
  try {
    return await work(db);
  } finally {
    await db.close();
  }
}

async function onceReady<T>(work: () => Promise<T>): Promise<T> {
  for (let look = 1; ; look++) {
    try {
      return await work();
    } catch (error) {
      if (look === START_LOOKS) throw error;
      await realRuntime.sleep(START_LOOK_MS);
    }
  }
}

/** Starts a stack on a new ledger of its own. */
export async function startOn(ledger: BenchLedger, options: StackOptions): Promise<Stack> {
  const url = await ledger.fresh();
  const env = { ...options.env, ...(url === undefined ? {} : { SLUICE_LEDGER_URL: url }) };
  const stack = await Stack.start({ ...options, env });
  if (ledger.pid !== undefined) stack.beside.set("postgres", ledger.pid);
  return stack;
}
