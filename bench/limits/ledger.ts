// The ledger records transactions of the standard workload, against writing the rows of the same
// orders and nothing else: a multi-row INSERT in SQLite, COPY in Postgres.
import { chmodSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db, type Value } from "../../ledger/db.ts";
import { postgresBin, startPostgres } from "../../services/postgres.ts";
import { usageOf } from "../intake/usage.ts";
import { measure, prepare, ready, SHARDS, type Target } from "../ledger.ts";
import type { LimitOptions, LimitRow } from "./row.ts";

const TOGETHER = 2_000;
const TRANSACTIONS = 60;
const WARM_UP = 5;
const ROWS_PER_INSERT = 500;
const COLUMNS = "bucket, id, usr, state, message, idx";
const TABLE = `CREATE TABLE bare (bucket INTEGER NOT NULL, id TEXT NOT NULL, usr TEXT NOT NULL,
  state TEXT NOT NULL, message BIGINT NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (bucket, id, usr))`;
const BUCKETS = 256;
const USERS = 10_000;
const WHAT = "entries, messages, orders and stock in one transaction";

type Row = readonly Value[];

export async function ledgerRows({ dir }: LimitOptions): Promise<LimitRow[]> {
  return [await sqliteRow(dir), ...(await postgresRows(dir))];
}

async function sqliteRow(dir: string): Promise<LimitRow> {
  const micros = await ledgerMicros({ url: `sqlite:${join(dir, "ledger.db")}` });
  const db = await Db.open(realRuntime, `sqlite:${join(dir, "bare.db")}`);
  try {
    await db.run(`${TABLE} WITHOUT ROWID`);
    const floorMicros = await bareMicros(undefined, (rows) =>
      db.transaction(async (tx) => {
        for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
          const part = rows.slice(from, from + ROWS_PER_INSERT);
          await tx.run(insertText(part.length), part.flat());
        }
      }),
    );
    const floor = "rows of the same orders by multi-row INSERT";
    return rowOf(`SQLite: ${WHAT}`, micros, floor, floorMicros);
  } finally {
    await db.close();
  }
}

/** None if Postgres is not installed. */
async function postgresRows(dir: string): Promise<LimitRow[]> {
  if (!postgresBin()) return [];
  // Postgres may run as another user, who must enter its folder and read the file.
  for (const folder of [dirname(dir), dir]) chmodSync(folder, 0o755);
  const server = await startPostgres(join(dir, "postgres"));
  const target = { url: server.url("postgres"), pid: server.pid };
  try {
    await ready(target.url);
    const micros = await ledgerMicros(target);
    const db = await Db.open(realRuntime, target.url);
    const floorMicros = await copyMicros(db, dir, server.pid).finally(() => db.close());
    const floor = "rows of the same orders by COPY from a file";
    return [rowOf(`Postgres: ${WHAT}`, micros, floor, floorMicros)];
  } finally {
    await server.stop();
  }
}

async function copyMicros(db: Db, dir: string, pid: number): Promise<number> {
  await db.run(TABLE);
  const file = join(dir, "bare.tsv");
  const copy = `COPY bare (${COLUMNS}) FROM '${file}'`;
  const write = (rows: readonly Row[]) => {
    writeFileSync(file, rows.map((row) => `${row.join("\t")}\n`).join(""));
    chmodSync(file, 0o644);
  };
  return bareMicros(pid, () => db.run(copy), write);
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

/** µs per row of this process and the database's; `prepare` is not counted. */
async function bareMicros(
  pid: number | undefined,
  write: (rows: readonly Row[]) => Promise<unknown>,
  before: (rows: readonly Row[]) => void = () => undefined,
): Promise<number> {
  const server = () => (pid === undefined ? 0 : usageOf(pid).cpuMicros);
  let own = 0;
  let serverBefore = 0;
  for (let i = -WARM_UP; i < TRANSACTIONS; i++) {
    const rows = Array.from({ length: TOGETHER }, (_, idx) => freshRow(i + WARM_UP, idx));
    before(rows);
    if (i === 0) serverBefore = server();
    const cpu = process.cpuUsage();
    await write(rows);
    const { user, system } = process.cpuUsage(cpu);
    if (i >= 0) own += user + system;
  }
  return (own + server() - serverBefore) / TRANSACTIONS / TOGETHER;
}

function freshRow(message: number, idx: number): Row {
  const user = Math.floor(realRuntime.random() * USERS);
  const state = idx % 10 === 0 ? "reserved" : "sold_out";
  return [user % BUCKETS, realRuntime.uuidV7(), `user${user}`, state, message, idx];
}

function insertText(rows: number): string {
  const values = Array.from({ length: rows }, () => "(?,?,?,?,?,?)").join(",");
  return `INSERT INTO bare (${COLUMNS}) VALUES ${values}`;
}
