// Redis loses something, or everything: wiped, rolled back, failed over to a replica that lags,
// full, or without its functions.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { codeOf } from "../../../core/stores/error-replies.ts";
import { between, type Fault, type Injected } from "../fault.ts";
import type { ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const REBUILT_MS = 30_000;
const SYNC_MS = 30_000;
const RECOVERY_MS = 20_000;
/** As services/redis.ts sets it. */
const USUAL_LIMIT = "2gb";
const WAITS = "orders wait for their outcome while Redis is rebuilt; 503 `shed` if that takes long";

export const REDIS_FAULTS: readonly Fault[] = [
  {
    name: "redis-wiped",
    what: "FLUSHALL while orders are decided.",
    seen: WAITS,
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: async (system) => rebuilt(system, "FLUSHALL", () => system.redis.call("flushall")),
  },
  {
    name: "redis-wiped-in-rebuild",
    what: "FLUSHALL again and again, while Redis is being rebuilt after the first.",
    seen: WAITS,
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: async (system, random) => {
      const times = between(random, 3, 6);
      return rebuilt(system, `${times} FLUSHALL within seconds`, async () => {
        for (let i = 0; i < times; i++) {
          await system.redis.call("flushall");
          await realRuntime.sleep(between(random, 50, 600));
        }
      });
    },
  },
  {
    name: "redis-rolled-back",
    what: "Redis is killed and starts from a file that is 1 to 6 s old.",
    seen: WAITS,
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: rollBack,
  },
  {
    name: "redis-failed-over",
    what:
      "Redis gets the state of a replica that lags 1 to 6 s, is read-only meanwhile, and keeps " +
      "every connection open.",
    seen: WAITS,
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: failOver,
  },
  {
    name: "redis-functions-flushed",
    what: "FUNCTION FLUSH while orders are decided.",
    seen: "nothing",
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: flushFunctions,
  },
  {
    name: "redis-full",
    what: "`maxmemory` falls to what Redis uses, so that it refuses to write for 5 to 15 s.",
    seen: "503 `shed`",
    touches: ["redis"],
    recoveryMs: RECOVERY_MS,
    inject: fill,
  },
];

/** Does something that a rebuild of Redis must follow. */
async function rebuilt(
  system: ChaosSystem,
  detail: string,
  work: () => Promise<unknown>,
): Promise<Injected> {
  const before = await rebuilds(system);
  await work();
  return {
    detail,
    lastsMs: 0,
    evidence: async () => {
      const count = await until(
        "Redis is rebuilt",
        async () => {
          const now = (await rebuilds(system)) - before;
          return now > 0 && now;
        },
        REBUILT_MS,
      );
      return `rebuilt ${count === 1 ? "once" : `${count} times`}`;
    },
    heal: async () => undefined,
  };
}

async function rebuilds(system: ChaosSystem): Promise<number> {
  const workers = system.rolesOf("worker");
  const events = await Promise.all(workers.map((worker) => worker.events("redis rebuilt")));
  return events.flat().length;
}

async function rollBack(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { redis } = system;
  const agoMs = between(random, 1_000, 6_000);
  const file = join(redis.dir, "dump.rdb");
  return rebuilt(system, `started from a file ${(agoMs / 1_000).toFixed(1)} s old`, async () => {
    try {
      await redis.call("save");
      await realRuntime.sleep(agoMs);
      await redis.kill();
      await redis.start();
    } finally {
      rmSync(file, { force: true });
    }
  });
}

async function failOver(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { redis } = system;
  const lagMs = between(random, 1_000, 6_000);
  const replica = await redis.replica();
  let kept = 0;
  try {
    await replica.call("replicaof", "no", "one");
    await realRuntime.sleep(lagMs);
    const before = await clientIds(system);
    const injected = await rebuilt(system, "", async () => {
      await redis.call("replicaof", "127.0.0.1", replica.port);
      await until("the lagging state", () => inSync(system), SYNC_MS);
      await redis.call("replicaof", "no", "one");
    });
    const after = await clientIds(system);
    kept = [...before].filter((id) => after.has(id)).length;
    const evidence = async () => `${await injected.evidence()}; ${kept} connections stayed open`;
    return { ...injected, evidence, detail: `to a replica that lags ${lagMs} ms` };
  } finally {
    // Whatever happened, Redis takes writes again, and the replica ends.
    await redis.call("replicaof", "no", "one").finally(replica.end);
  }
}

async function inSync(system: ChaosSystem): Promise<boolean> {
  const text = String(await system.redis.call("info", "replication"));
  return text.includes("master_link_status:up");
}

async function clientIds(system: ChaosSystem): Promise<ReadonlySet<string>> {
  const text = String(await system.redis.call("client", "list"));
  return new Set([...text.matchAll(/^id=(\d+) /gm)].map((match) => match[1] ?? ""));
}

async function flushFunctions(system: ChaosSystem): Promise<Injected> {
  const before = await loads(system);
  await system.redis.call("function", "flush");
  return {
    detail: "FUNCTION FLUSH",
    lastsMs: 0,
    evidence: async () => {
      await until("they are loaded again", async () => (await loads(system)) > before, REBUILT_MS);
      return "a role loaded the functions again";
    },
    heal: async () => undefined,
  };
}

/** How often functions were loaded since Redis started. */
async function loads(system: ChaosSystem): Promise<number> {
  const text = String(await system.redis.call("info", "commandstats"));
  return Number(/^cmdstat_function\|load:calls=(\d+)/m.exec(text)?.[1] ?? 0);
}

async function fill(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { redis } = system;
  const lastsMs = between(random, 5_000, 15_000);
  const info = String(await redis.call("info", "memory"));
  const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1]);
  await redis.call("config", "set", "maxmemory", Math.floor(used / 2));
  return {
    lastsMs,
    detail: `no memory for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      try {
        await redis.call("set", "chaos-probe", "1");
      } catch (error) {
        if (codeOf(error as Error) === "OOM") return "a write was refused with OOM";
        throw error;
      }
      throw new Error("Redis still takes writes");
    },
    heal: async () => {
      await redis.call("config", "set", "maxmemory", USUAL_LIMIT);
    },
  };
}
