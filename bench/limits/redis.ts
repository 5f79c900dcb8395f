// A call of `decide`, against an XADD of the same text and a call of an empty function: what Redis
// needs at least to keep the orders and to answer. CPU is that of Redis's main thread.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { buildLibrary } from "../../core/stores/library.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { startRedis } from "../../services/redis.ts";
import { freshBody, ITEMS, Scene } from "../decide/scene.ts";
import type { LimitRow } from "./row.ts";

const TOGETHER = [400, 200, 50, 1];
/** One order in ten is reserved. */
const AVAILABLE = ITEMS / 10;
/** Calls between two looks at the CPU time; the quartile of these slices counts. */
const SLICE_CALLS = 25;
const SLICES = 24;
const NOTHING = "#!lua name=limits\nredis.register_function('nothing', function() return 'ok' end)";
const STREAM = "limits";
const FLOOR = "XADD of the same text, FCALL of an empty function";

export async function redisRows(): Promise<LimitRow[]> {
  const decide = await decideMicros();
  const floors = await floorMicros();
  return TOGETHER.map((together, i) => ({
    ...{ stage: "redis" as const, what: "decide, one in ten reserved", together, floor: FLOOR },
    ...{ micros: decide[i] ?? Number.NaN, floorMicros: floors[i] ?? Number.NaN },
  }));
}

async function decideMicros(): Promise<number[]> {
  const scene = await Scene.start(false);
  try {
    const row: number[] = [];
    for (const together of TOGETHER)
      row.push(
        await scene.with(buildLibrary(), AVAILABLE, (shard) => {
          const call = (body: string) => shard.decide(body, false);
          return quartile(together, () => scene.cpuMicros(), call);
        }),
      );
    return row;
  } finally {
    await scene.stop();
  }
}

async function floorMicros(): Promise<number[]> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const server = await startRedis(dir, { persistence: false });
  const redis = new RedisStore({ runtime: realRuntime, url: server.url });
  try {
    await redis.connect();
    await redis.client.function("LOAD", NOTHING);
    const row: number[] = [];
    for (const together of TOGETHER)
      row.push(await quartile(together, () => mainThreadMicros(server.pid), bareCall(redis)));
    return row;
  } finally {
    await redis.close();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function bareCall({ client }: RedisStore): (body: string) => Promise<void> {
  return async (body) => {
    await client.xadd(STREAM, "*", "body", body);
    await client.fcall("nothing", 1, STREAM, body);
  };
}

/** µs per order in the quartile of the slices: what another process interrupts costs more. */
async function quartile(
  together: number,
  cpuMicros: () => number,
  call: (body: string) => Promise<void>,
): Promise<number> {
  const costs: number[] = [];
  for (let slice = 0; slice <= SLICES; slice++) {
    const bodies = Array.from({ length: SLICE_CALLS }, () => freshBody(together));
    const before = cpuMicros();
    for (const body of bodies) await call(body);
    // The first slice warms up.
    if (slice > 0) costs.push((cpuMicros() - before) / SLICE_CALLS / together);
  }
  costs.sort((a, b) => a - b);
  return costs[Math.floor(costs.length / 4)] ?? Number.NaN;
}

/** Linux counts CPU time for each thread, in ns. */
function mainThreadMicros(pid: number): number {
  const [nanos = ""] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ");
  return Number(nanos) / 1_000;
}
