// The services tests run against: real ones, private to this runner, started on first use. The
// whole run (run.ts) stops them at its end; a runner on its own does so itself.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Db } from "../ledger/db.ts";
import { migrate } from "../ledger/migrations.ts";
import { type PrivatePostgres, startPostgres } from "../services/postgres.ts";
import { endLeftovers } from "../services/processes.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { type PrivateRedis, startRedis } from "../services/redis.ts";
import { roomyFolder } from "./roomy.ts";

/** The folder of the whole run, if this is a part of it. What tests start must not inherit it. */
const runRoot = process.env.TEST_RUN_ROOT;
const vhostsOfRun = Number(process.env.TEST_RUN_VHOSTS ?? 25);
delete process.env.TEST_RUN_ROOT;
delete process.env.TEST_RUN_VHOSTS;
let root = runRoot;
let redis: Promise<PrivateRedis> | undefined;
/** Each node has a fixed number of virtual hosts; the last one has some left. */
const rabbits: Promise<PrivateRabbit>[] = [];
let postgres: Promise<PrivatePostgres> | undefined;
let vhosts = 0;
let databases = 0;
let migrated: Promise<string> | undefined;

/** Postgres frees its shared memory within it. RabbitMQ would take much longer for its queues. */
const END_GRACE_MS = 1_000;

/** A folder for a run's files and services. */
export function makeTestRoot(): string {
  const dir = mkdtempSync(join(roomyFolder(), "sluice-test-"));
  chmodSync(dir, 0o755); // Postgres runs as another user and must be able to enter
  return dir;
}

/** A folder of this run, removed at its end. */
export function testDir(name: string, mode = 0o700): string {
  root ??= makeTestRoot();
  const dir = mkdtempSync(join(root, `${name}-`));
  chmodSync(dir, mode);
  return dir;
}

/** A Redis that all tests share, without persistence. */
export async function testRedis(): Promise<{ url: string }> {
  redis ??= startRedis(testDir("redis"), { persistence: false });
  return { url: (await redis).url };
}

export interface TestRabbit {
  /** AMQP URL of a new, empty virtual host. */
  freshVhost(): Promise<string>;
}

/** A broker shared by all tests; each uses its own virtual hosts. */
export async function testRabbit(): Promise<TestRabbit> {
  await rabbitOf(vhosts);
  return {
    freshVhost: async () => {
      const taken = vhosts++;
      return (await rabbitOf(taken)).url(at(VHOSTS, taken % VHOSTS.length));
    },
  };
}

/**
 * A node's virtual hosts. They are created when it starts, since adding one later takes a second.
 * Each one costs 0.07 s then, and a node 8 s: a run of many files has enough for most of them.
 */
const VHOSTS = Array.from({ length: vhostsOfRun }, (_, i) => `test${i}`);

/** The node of the virtual host with this number. */
function rabbitOf(vhost: number): Promise<PrivateRabbit> {
  const node = Math.floor(vhost / VHOSTS.length);
  rabbits[node] ??= startRabbit(testDir("rabbit"), { vhosts: VHOSTS });
  return rabbits[node];
}

/** It survives no power cut, and no database in it lives long enough to be vacuumed. */
const HASTY_POSTGRES = {
  fsync: "off",
  full_page_writes: "off",
  autovacuum: "off",
  max_wal_size: "256MB",
};

/** URL of a new database of a Postgres that all tests share, with the ledger's tables. */
export async function freshDatabase(): Promise<string> {
  migrated ??= migratedDatabase();
  return newDatabase(`TEMPLATE ${await migrated}`);
}

/** URL of a new, empty database of that Postgres. */
export function emptyDatabase(): Promise<string> {
  return newDatabase("");
}

/** Name of a database that has the ledger's tables and stays without content. */
async function migratedDatabase(): Promise<string> {
  const url = await emptyDatabase();
  const db = await Db.open(realRuntime, url);
  await migrate(db);
  await db.close();
  return new URL(url).pathname.slice(1);
}

async function newDatabase(copied: string): Promise<string> {
  postgres ??= startPostgres(testDir("postgres", 0o755), undefined, HASTY_POSTGRES);
  const server = await postgres;
  const name = `test${databases++}`;
  const sql = new SQL({ url: server.url("postgres"), max: 1 });
  // The port answers a moment before the server accepts commands, and a session on the copied
  // database ends a moment after it has been closed.
  for (let attempt = 0; ; attempt++) {
    try {
      await sql.unsafe(`CREATE DATABASE ${name} ${copied}`);
      break;
    } catch (error) {
      if (attempt === 50) throw error;
      await Bun.sleep(100);
    }
  }
  await sql.close();
  return server.url(name);
}

/** Ends everything that tests started and recorded under a root, and removes the root. */
export async function endTestRoot(dir: string): Promise<void> {
  const folders = readdirSync(dir).map((name) => join(dir, name));
  const records = folders.flatMap((folder) => [folder, join(folder, "run")]);
  const end = (record: string) => endLeftovers(record, { graceMs: END_GRACE_MS });
  await Promise.allSettled(records.map(end));
  rmSync(dir, { recursive: true, force: true });
}

/** Called by the preload after the last file of a runner; in a whole run, run.ts does this. */
export async function stopTestServices(): Promise<void> {
  if (runRoot) return;
  await Promise.allSettled([
    redis?.then((r) => r.kill()),
    ...rabbits.map((rabbit) => rabbit.then((r) => r.kill())),
    postgres?.then((p) => p.kill()),
  ]);
  if (root) rmSync(root, { recursive: true, force: true });
}
