// Measures what a system costs that has nothing to do: `bun bench/rest.ts [SECONDS]`. It starts one
// gateway, one worker and private services, waits until compiled code has settled, and reads the
// CPU time of each process and thread, and Redis's calls, over that time.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { RedisStore } from "../core/stores/redis.ts";
import type { Stack } from "../proof/demo/stack.ts";
import { TICKS_PER_S, usageByPart } from "./intake/usage.ts";
import { onStack } from "./load/stack.ts";

const SECONDS = 30;
const SETTLE_S = 15;
/** Threads that used less than this, ms of CPU per second, are not listed. */
const MIN_MS = 0.5;

export interface Rest {
  /** ms of CPU per second, by part. */
  readonly parts: Readonly<Record<string, number>>;
  /** Likewise, by part, process and name of the thread. */
  readonly threads: Readonly<Record<string, number>>;
  /** Calls to Redis per second, and µs of Redis per second that they took. */
  readonly calls: Readonly<Record<string, readonly [perSecond: number, micros: number]>>;
}

export async function atRest(stack: Stack, redis: RedisStore, seconds: number): Promise<Rest> {
  const before = await look(stack, redis);
  await realRuntime.sleep(seconds * 1_000);
  const after = await look(stack, redis);
  const per = (then: number, now: number) => Math.round(((now - then) / seconds) * 100) / 100;
  const between = (then: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>) =>
    Object.fromEntries([...now].map(([name, ms]) => [name, per(then.get(name) ?? 0, ms)]));
  const calls = Object.fromEntries(
    [...after.calls].map(([name, [count, micros]]) => {
      const [countBefore, microsBefore] = before.calls.get(name) ?? [0, 0];
      return [name, [per(countBefore, count), per(microsBefore, micros)] as const];
    }),
  );
  return {
    parts: between(before.parts, after.parts),
    threads: between(before.threads, after.threads),
    calls,
  };
}

async function look(stack: Stack, redis: RedisStore) {
  const parts = new Map([...usageByPart(stack)].map(([part, u]) => [part, u.cpuMicros / 1_000]));
  const threads = new Map<string, number>();
  for (const role of stack.fleet.roles) addThreads(threads, role.name, role.pid());
  const info = await redis.run((client) => client.info("commandstats"));
  const calls = new Map<string, readonly [number, number]>();
  for (const [, name, count, micros] of info.matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm))
    calls.set(name as string, [Number(count), Number(micros)]);
  return { parts, threads, calls };
}

function addThreads(threads: Map<string, number>, part: string, pid: number): void {
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    const named = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
    const [user, kernel] = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .slice(11, 13);
    const name = `${part} ${thread} ${named}`;
    threads.set(name, ((Number(user) + Number(kernel)) * 1_000) / TICKS_PER_S);
  }
}

if (import.meta.main) {
  const seconds = Number(process.argv[2] ?? SECONDS);
  const dir = mkdtempSync(join(tmpdir(), "sluice-rest-"));
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const options = { dir, targetWaitMs: 2_000, workerRate: 0, say };
  try {
    await onStack(options, {}, async (stack, redis) => {
      await realRuntime.sleep(SETTLE_S * 1_000);
      const { parts, threads, calls } = await atRest(stack, redis, seconds);
      console.table(parts);
      console.table(Object.fromEntries(Object.entries(threads).filter(([, ms]) => ms > MIN_MS)));
      console.table(Object.fromEntries(Object.entries(calls).filter(([, [count]]) => count > 0)));
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
