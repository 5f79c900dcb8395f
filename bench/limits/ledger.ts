// The ledger records transactions of the standard workload, against writing one row for each of the
// same orders and nothing else, in the fastest way that each database has.
import { chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db } from "../../ledger/db.ts";
import type { Value } from "../../ledger/runner.ts";
import { postgresBin, startPostgres } from "../../services/postgres.ts";
import { usageOf } from "../intake/usage.ts";
import { measure, prepare, ready, SHARDS, type Target } from "../ledger.ts";
import type { LimitOptions, LimitRow } from "./row.ts";

const TOGETHER = 2_000;
const TRANSACTIONS = 60;
const WARM_UP = 5;
const COLUMNS = ["bucket", "id", "usr", "state", "message", "idx"];
const TABLE = `CREATE TABLE bare (bucket INTEGER NOT NULL, id TEXT NOT NULL, usr TEXT NOT NULL,
  state TEXT NOT NULL, message BIGINT NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (bucket, id, usr))`;
const BUCKETS = 256;
const USERS = 10_000;
const WHAT = "entries, messages, orders and stock in one transaction";

export async function ledgerRows({ dir }: LimitOptions): Promise<LimitRow[]> {
  return [await sqliteRow(dir), ...(await postgresRows(dir))];
}

async function sqliteRow(dir: string): Promise<LimitRow> {
  const micros = await ledgerMicros({ url: `sqlite:${join(dir, "ledger.db")}` });
  const bare = { url: `sqlite:${join(dir, "bare.db")}` };
  const floorMicros = await bareMicros(bare, `${TABLE} WITHOUT ROWID`);
  const floor = "a row per order by a prepared INSERT";
  return rowOf(`SQLite: ${WHAT}`, micros, floor, floorMicros);
}

/** None if Postgres is not installed. */
async function postgresRows(dir: string): Promise<LimitRow[]> {
  if (!postgresBin()) return [];
  // Postgres may run as another user, who must enter its folder.
  for (const folder of [dirname(dir), dir]) chmodSync(folder, 0o711);
  const server = await startPostgres(join(dir, "postgres"));
  try {
    const target = { url: server.url("postgres"), pid: server.pid };
    await ready(target.url);
    const micros = await ledgerMicros(target);
    const floorMicros = await bareMicros(target, TABLE);
    return [rowOf(`Postgres: ${WHAT}`, micros, "a row per order by COPY", floorMicros)];
  } finally {
    await server.stop();
  }
}

function rowOf(what: string, micros: number, floor: string, floorMicros: number): LimitRow {
  return { stage: "ledger", what, together: TOGETHER, micros, floor, floorMicros };
}

/** Worker's side and database together. */
async function ledgerMicros(target: Target): Promise<number> {
  await prepare(target.url);
  const shards = Array.from({ length: SHARDS }, (_, shard) => shard);
  const { cpuMicrosPerOrder, serverMicrosPerOrder } = await measure(target, shards);
  return cpuMicrosPerOrder + serverMicrosPerOrder;
}

/** µs per row of this process and the database's. */
async function bareMicros({ url, pid }: Target, table: string): Promise<number> {
  const server = () => (pid === undefined ? 0 : usageOf(pid).cpuMicros);
  const db = await Db.open(realRuntime, url);
  try {
    await db.run(table);
    let own = 0;
    let serverBefore = 0;
    for (let i = -WARM_UP; i < TRANSACTIONS; i++) {
      const flat = Array.from({ length: TOGETHER }, (_, idx) => freshRow(i + WARM_UP, idx)).flat();
      if (i === 0) serverBefore = server();
      const cpu = process.cpuUsage();
      await db.insert({ table: "bare", columns: COLUMNS, flat, rest: "" });
      const { user, system } = process.cpuUsage(cpu);
      if (i >= 0) own += user + system;
    }
    return (own + server() - serverBefore) / TRANSACTIONS / TOGETHER;
  } finally {
    await db.close();
  }
}

function freshRow(message: number, idx: number): Value[] {
  const user = Math.floor(realRuntime.random() * USERS);
  const state = idx % 10 === 0 ? "reserved" : "sold_out";
  return [user % BUCKETS, realRuntime.uuidV7(), `user${user}`, state, message, idx];
}
