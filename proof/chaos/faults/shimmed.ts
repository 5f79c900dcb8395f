// Processes that run with the shim: each is restarted with it while nothing is wrong, and the fault
// begins afterwards.
import { metaKey } from "../../../core/stores/keys.ts";
import { Shim } from "../shim/shim.ts";
import type { ChaosRedis, ChaosSystem, Victim } from "../system.ts";
import { until } from "../within.ts";

const OPEN_MS = 30_000;
let made = 0;

/** Starts processes again with one shim; `path` is the part of the disk that it affects. */
export async function withShim(
  system: ChaosSystem,
  victims: readonly Victim[],
  path: string,
): Promise<Shim> {
  const shim = Shim.make(`${system.dir}/shim`, `control-${++made}`, path);
  for (const victim of victims) {
    await victim.stop();
    await victim.start(shim.env);
  }
  return shim;
}

/** Starts Redis again with a shim, and waits until a worker has rebuilt it. */
export async function redisWithShim(system: ChaosSystem): Promise<Shim> {
  const { redis } = system;
  const shim = await withShim(system, [redis], redis.dir);
  await redisOpen(system, redis);
  return shim;
}

async function redisOpen(system: ChaosSystem, redis: ChaosRedis): Promise<void> {
  const isOpen = async (shard: number) =>
    (await redis.call("HGET", metaKey(shard), "state")) === "open";
  for (let shard = 0; shard < system.shards; shard++)
    await until(`shard ${shard} is open`, () => isOpen(shard).catch(() => false), OPEN_MS);
}
