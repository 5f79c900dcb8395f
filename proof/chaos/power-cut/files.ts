// The files that a power cut leaves, cut off or torn at any byte, and what the real Redis and the
// real SQLite make of them.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { Db } from "../../../ledger/db.ts";

const AOF_DIR = "appendonlydir";

/** The growing part of an append-only file, under the data folder of a Redis. */
export function incrementOf(dir: string): string {
  const name = readdirSync(join(dir, AOF_DIR)).find((file) => file.endsWith(".incr.aof"));
  if (name === undefined) throw new Error(`no append-only file in ${dir}`);
  return join(dir, AOF_DIR, name);
}

export const walOf = (dir: string): string => join(dir, "ledger.db-wal");

/** How a file ends after a power cut. */
export interface Ending {
  /** Bytes that are whole. */
  readonly bytes: number;
  /** Zeros after them: a page that was allocated and never written. */
  readonly zeros?: number;
}

export function endAt(path: string, { bytes, zeros = 0 }: Ending): void {
  truncateSync(path, bytes);
  if (zeros > 0) truncateSync(path, bytes + zeros); // the kernel fills it with zeros
}

/** Puts a copy of the append-only file, with this ending, into an empty data folder. */
export function putAof(left: string, dir: string, ending: Ending): void {
  mkdirSync(dir, { recursive: true });
  cpSync(join(left, AOF_DIR), join(dir, AOF_DIR), { recursive: true });
  endAt(incrementOf(dir), ending);
}

export function dropAof(dir: string): void {
  rmSync(join(dir, AOF_DIR), { recursive: true });
}

/** Puts a copy of the ledger, its WAL with this ending, into a folder. */
export function putLedger(left: string, dir: string, ending: Ending): void {
  mkdirSync(dir, { recursive: true });
  rmSync(join(dir, "ledger.db-shm"), { force: true });
  for (const file of ["ledger.db", "ledger.db-wal"]) cpSync(join(left, file), join(dir, file));
  endAt(walOf(dir), ending);
}

const REDIS_START_MS = 10_000;
const READY = /ready to accept connections/i;

/**
 * Loads an append-only file with the real Redis. Returns how many of its bytes Redis keeps, since
 * it cuts off what is incomplete; undefined: it refuses to start.
 */
export async function keptOfAof(dir: string): Promise<number | undefined> {
  const settings = ["--port", "0", "--unixsocket", join(dir, "s"), "--dir", dir, "--save", ""];
  const child = Bun.spawn(
    [Bun.which("redis-server") ?? "redis-server", ...settings, "--appendonly", "yes"],
    { stdout: "pipe", stderr: "ignore", timeout: REDIS_START_MS, killSignal: "SIGKILL" },
  );
  try {
    const decoder = new TextDecoder();
    let log = "";
    for await (const bytes of child.stdout) {
      log += decoder.decode(bytes, { stream: true });
      if (READY.test(log)) return statSync(incrementOf(dir)).size;
    }
    return undefined;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/** What the real SQLite has after it recovered a WAL. */
export interface LedgerState {
  /** Distinguishes the states between commits. */
  readonly key: string;
  readonly positions: readonly { readonly shard: number; readonly lastN: number }[];
  /** `ok`, or what `PRAGMA quick_check` finds. */
  readonly health: string;
}

export async function ledgerState(dir: string): Promise<LedgerState> {
  const db = await Db.open(realRuntime, `sqlite:${join(dir, "ledger.db")}`);
  try {
    const health = await db.run("PRAGMA quick_check");
    const shards = await db.run("SELECT * FROM shards ORDER BY shard");
    const [counts] = await db.run(
      `SELECT (SELECT COUNT(*) FROM entries) AS entries, (SELECT COUNT(*) FROM orders) AS orders,
         (SELECT COUNT(*) FROM charges) AS charges, (SELECT COUNT(*) FROM follow_ups) AS follow`,
    );
    return {
      key: JSON.stringify([shards, counts]),
      positions: shards.map((row) => ({ shard: Number(row.shard), lastN: Number(row.last_n) })),
      health: String(Object.values(health[0] ?? {})[0]),
    };
  } finally {
    await db.close();
  }
}

/** Overwrites bytes in the middle of a file with zeros. */
export function zeroBytes(path: string, from: number, count: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0, from, from + count);
  writeFileSync(path, bytes);
}

export const fileSize = (path: string): number => (existsSync(path) ? statSync(path).size : 0);
