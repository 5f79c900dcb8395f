// A replica of a Redis, for fail-overs. It can stop following, and then lags.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { startRedis } from "../../services/redis.ts";
import { redisCall } from "./redis-call.ts";
import type { ChaosReplica } from "./system.ts";

const SYNC_TIMEOUT_MS = 30_000;
const LOOK_MS = 50;

export async function replicaOf(port: number, dir: string): Promise<ChaosReplica> {
  const place = join(dir, "..", `replica-${realRuntime.uuid()}`);
  const redis = await startRedis(place);
  const call: ChaosReplica["call"] = (command, ...args) => redisCall(redis.url, command, args);
  const end = async () => {
    await redis.kill();
    rmSync(place, { recursive: true, force: true });
  };
  try {
    await call("replicaof", "127.0.0.1", port);
    await untilInSync(call);
    return { url: redis.url, port: redis.port, call, end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function untilInSync(call: ChaosReplica["call"]): Promise<void> {
  const end = realRuntime.monotonicMs() + SYNC_TIMEOUT_MS;
  while (realRuntime.monotonicMs() < end) {
    if (String(await call("info", "replication")).includes("master_link_status:up")) return;
    await realRuntime.sleep(LOOK_MS);
  }
  throw new Error(`the replica was not in sync within ${SYNC_TIMEOUT_MS / 1_000} s`);
}
