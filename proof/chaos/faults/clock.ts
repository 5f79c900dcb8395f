// Wall clocks that are wrong by an hour: of one role, or of Redis, while all others are right. Only
// the wall clock is wrong: the monotonic clock cannot be set.
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { Shim } from "../shim/shim.ts";
import type { ChaosSystem, RoleKind } from "../system.ts";
import { until } from "../within.ts";
import { redisWithShim, withShim } from "./shimmed.ts";

const HOUR_S = 3_600;
const SHOWN_MS = 20_000;
const ROLE_RECOVERY_MS = 10_000;
/** Workers follow Redis's clock again as soon as they have read it. */
const REDIS_RECOVERY_MS = 30_000;
/** How exactly a report shows the error: a start may take this long. */
const WITHIN_S = 60;

const KINDS = ["gateway", "worker", "payments", "fulfil", "rates", "provider"] as const;
const SEEN: Readonly<Record<(typeof KINDS)[number], string>> = {
  gateway: "401 at this gateway, if tokens do not fit its clock; others serve",
  worker: "nothing",
  payments: "nothing",
  fulfil: "nothing",
  rates: "nothing, or orders in other currencies wait and become `fx_unavailable`",
  provider: "nothing",
};

const lasts = (random: () => number) => between(random, 5_000, 20_000);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

function roleClock(kind: (typeof KINDS)[number], offsetS: number): Fault {
  return {
    name: `clock-${kind}-${offsetS > 0 ? "ahead" : "behind"}`,
    what: `The clock of one ${kind} process is an hour ${offsetS > 0 ? "fast" : "slow"}.`,
    seen: SEEN[kind],
    needs: ["cc"],
    touches: ["clock", kind],
    recoveryMs: ROLE_RECOVERY_MS,
    inject: (system, random) => injectRole(system, random, kind, offsetS),
  };
}

/** The role starts with the wrong clock, which its report shows, and is put right while it runs. */
async function injectRole(
  system: ChaosSystem,
  random: () => number,
  kind: RoleKind,
  offsetS: number,
): Promise<Injected> {
  const role = oneOf(random, system.rolesOf(kind));
  await role.stop();
  const shim = await withShim(system, [], system.dir);
  shim.clock(offsetS);
  const startsS = realRuntime.wallMs() / 1_000;
  await role.start(shim.env);
  const lastsMs = lasts(random);
  return {
    lastsMs,
    detail: `${role.name} for ${seconds(lastsMs)}`,
    evidence: async () => {
      const told = await wrongTime(shim);
      if (kind === "provider") return told; // it reports nothing
      const movedS = await until(
        `the report of ${role.name} shows it`,
        async () => {
          const moved = (await system.metricOf(role, "process_start_time_seconds")) - startsS;
          return Math.abs(moved - offsetS) < WITHIN_S && moved;
        },
        SHOWN_MS,
      );
      return `${told}; it reports a start ${Math.round(movedS)} s from the true one`;
    },
    heal: async () => shim.clock(0),
  };
}

async function wrongTime(shim: Shim): Promise<string> {
  await until("a reading of the wrong clock", () => shim.counts.told > 0, SHOWN_MS);
  return `${shim.counts.told} readings of the wrong clock`;
}

function redisClock(offsetS: number): Fault {
  return {
    name: `clock-redis-${offsetS > 0 ? "ahead" : "behind"}`,
    what: `Redis's clock jumps an hour ${offsetS > 0 ? "ahead" : "back"}, and back again.`,
    seen: "orders wait, then 503 `shed`, until the clock is right again",
    needs: ["cc"],
    touches: ["clock", "redis"],
    recoveryMs: REDIS_RECOVERY_MS,
    inject: async (system, random) => {
      const shim = await redisWithShim(system);
      const before = await jumpsSeen(system);
      const lastsMs = lasts(random);
      shim.clock(offsetS);
      return {
        lastsMs,
        detail: `for ${seconds(lastsMs)}`,
        evidence: async () => {
          const awayS = await redisAway(system, offsetS);
          const more = async () => (await jumpsSeen(system)) - before;
          await until("a worker notices", async () => (await more()) > 0, SHOWN_MS);
          return `Redis's TIME is ${awayS} s away; 'clock jumped' logged ${await more()} times`;
        },
        heal: async () => shim.clock(0),
      };
    },
  };
}

async function redisAway(system: ChaosSystem, offsetS: number): Promise<number> {
  const [time] = (await system.redis.call("TIME")) as [string];
  const awayS = Math.round(Number(time) - realRuntime.wallMs() / 1_000);
  if (Math.abs(awayS - offsetS) > 5) throw new Error(`Redis's clock is ${awayS} s away`);
  return awayS;
}

async function jumpsSeen(system: ChaosSystem): Promise<number> {
  const roles = [...system.rolesOf("worker"), ...system.rolesOf("gateway")];
  const each = await Promise.all(roles.map((role) => role.events("clock jumped")));
  return each.reduce((sum, lines) => sum + lines.length, 0);
}

export const CLOCK_FAULTS: readonly Fault[] = [HOUR_S, -HOUR_S].flatMap((offsetS) => [
  ...KINDS.map((kind) => roleClock(kind, offsetS)),
  redisClock(offsetS),
]);
