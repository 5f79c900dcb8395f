// The services tests run against: real ones, private to this run, started by the first test that asks and stopped when the run ends.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PrivateRabbit, startRabbit } from "../ops/services/rabbitmq.ts";
import { type PrivateRedis, startRedis } from "../ops/services/redis.ts";

let root: string | undefined;
let redis: Promise<PrivateRedis> | undefined;
let rabbit: Promise<PrivateRabbit> | undefined;
let vhosts = 0;

/** A folder of this run, removed at its end. */
export function testDir(name: string): string {
  root ??= mkdtempSync(join(tmpdir(), "sluice-test-"));
  return mkdtempSync(join(root, `${name}-`));
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

/** A broker that all tests share; each takes virtual hosts of its own. */
export async function testRabbit(): Promise<TestRabbit> {
  const names = Array.from({ length: MAX_VHOSTS }, (_, i) => `test${i}`);
  rabbit ??= startRabbit(testDir("rabbit"), { vhosts: names });
  const node = await rabbit;
  return {
    freshVhost: async () => {
      const name = names[vhosts++];
      if (!name) throw new Error(`the tests want more than ${MAX_VHOSTS} virtual hosts: raise MAX_VHOSTS in test/services.ts`);
      return node.url(name);
    },
  };
}

/** Made at boot, since adding one later costs a second each. */
const MAX_VHOSTS = 60;

/** Called once, by the preload, when the run ends. */
export async function stopTestServices(): Promise<void> {
  await Promise.allSettled([redis?.then((r) => r.kill()), rabbit?.then((r) => r.kill())]);
  if (root) rmSync(root, { recursive: true, force: true });
}
