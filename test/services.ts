// The services tests run against: real ones, private to this runner, started on first use. The
// whole run (run.ts) stops them at its end; a runner on its own does so itself.
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { at } from "../core/domain/at.ts";
import { type PrivatePostgres, startPostgres } from "../services/postgres.ts";
import { endLeftovers } from "../services/processes.ts";
import { type PrivateRabbit, startRabbit } from "../services/rabbitmq.ts";
import { type PrivateRedis, startRedis } from "../services/redis.ts";

/** The folder of the whole run, if this is a part of it. What tests start must not inherit it. */
const runRoot = process.env.TEST_RUN_ROOT;
delete process.env.TEST_RUN_ROOT;
let root = runRoot;
let redis: Promise<PrivateRedis> | undefined;
/** Each node has a fixed number of virtual hosts; the last one has some left. */
const rabbits: Promise<PrivateRabbit>[] = [];
let postgres: Promise<PrivatePostgres> | undefined;
let vhosts = 0;
let databases = 0;

/** A folder for a run's files and services. */
export function makeTestRoot(): string {
  const dir = mkdtempSync(join(tmpdir(), "sluice-test-"));
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

/** Created at boot, since adding one later takes a second each; a node with many starts slowly. */
const VHOSTS = Array.from({ length: 100 }, (_, i) => `test${i}`);

/** The node of the virtual host with this number. */
function rabbitOf(vhost: number): Promise<PrivateRabbit> {
  const at = Math.floor(vhost / VHOSTS.length);
  rabbits[at] ??= startRabbit(testDir("rabbit"), { vhosts: VHOSTS });
  return rabbits[at];
}

/** URL of a new, empty database of a Postgres that all tests share. */
export async function freshDatabase(): Promise<string> {
  postgres ??= startPostgres(testDir("postgres", 0o755));
  const server = await postgres;
  const name = `test${databases++}`;
  const sql = new SQL({ url: server.url("postgres"), max: 1 });
  // The port answers a moment before the server accepts commands.
  for (let attempt = 0; ; attempt++) {
    try {
      await sql.unsafe(`CREATE DATABASE ${name}`);
      break;
    } catch (error) {
      if (attempt === 50) throw error;
      await Bun.sleep(100);
    }
  }
  await sql.close();
  return server.url(name);
}

/** Stops everything that tests started and recorded under a root, and removes the root. */
export async function endTestRoot(dir: string): Promise<void> {
  const folders = readdirSync(dir).map((name) => join(dir, name));
  const records = folders.flatMap((folder) => [folder, join(folder, "run")]);
  await Promise.allSettled(records.map(endLeftovers));
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
