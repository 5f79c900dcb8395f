// Processes killed and frozen: every role and every store, one at a time, and all at once.
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { ChaosSystem, RoleKind, Victim } from "../system.ts";
import { until } from "../within.ts";

/** The kernel needs milliseconds; a busy machine may need more. */
const SHOWN_MS = 5_000;
const SHORTEST_FREEZE_S = 5;
const LONGEST_FREEZE_S = 90;

interface Target {
  readonly name: string;
  readonly of: (system: ChaosSystem) => readonly Victim[];
  readonly touches: string;
  readonly killed: string;
  readonly frozen: string;
  readonly recoveryMs: number;
  readonly needs?: Fault["needs"];
}

const role = (kind: RoleKind) => (system: ChaosSystem) => system.rolesOf(kind);

const TARGETS: readonly Target[] = [
  {
    name: "worker",
    of: role("worker"),
    touches: "worker",
    killed: "503 `shed` for its shards until another worker has them",
    frozen: "503 `shed` for its shards for about a lease",
    recoveryMs: 10_000,
  },
  {
    name: "gateway",
    of: role("gateway"),
    touches: "gateway",
    killed: "connections close; its orders get answers once it runs again",
    frozen: "no answers; orders that were in flight get them afterwards",
    recoveryMs: 10_000,
  },
  {
    name: "payments",
    of: role("payments"),
    touches: "payments",
    killed: "nothing: the other payment worker charges",
    frozen: "nothing: its charges are made after the broker gave them to another",
    recoveryMs: 10_000,
  },
  {
    name: "service",
    of: role("fulfil"),
    touches: "fulfil",
    killed: "orders of its categories stay `paid` until it runs again",
    frozen: "orders of its categories stay `paid` until it resumes",
    recoveryMs: 10_000,
  },
  {
    name: "rates",
    of: role("rates"),
    touches: "rates",
    killed: "nothing, as long as the last rates are young enough",
    frozen: "orders in other currencies wait, and become `fx_unavailable`",
    recoveryMs: 15_000,
  },
  {
    name: "provider",
    of: (system) => [system.provider],
    touches: "provider",
    killed: "orders stay `reserved` until the provider answers again",
    frozen: "orders stay `reserved` until the provider answers again",
    recoveryMs: 15_000,
  },
  {
    name: "redis",
    of: (system) => [system.redis],
    touches: "redis",
    killed: "orders wait, then 503 `shed`; Redis comes back empty and is rebuilt",
    frozen: "orders wait, then 503 `shed`",
    recoveryMs: 20_000,
  },
  {
    name: "broker",
    of: (system) => [...new Set(system.brokers.flatMap(({ nodes }) => nodes))],
    touches: "broker",
    killed: "503 `unconfirmed` or `unavailable` in its region",
    frozen: "503 `unconfirmed`, then `unavailable`, in its region",
    recoveryMs: 30_000,
  },
  {
    name: "postgres",
    of: ({ ledger: { server } }) => (server ? [server] : []),
    touches: "ledger",
    killed: "orders wait for their outcome, then 503 `shed`",
    frozen: "orders wait for their outcome, then 503 `shed`",
    recoveryMs: 30_000,
    needs: ["postgres"],
  },
];

export const PROCESS_FAULTS: readonly Fault[] = [
  ...TARGETS.map(killed),
  ...TARGETS.map(frozen),
  allKilled(),
];

function killed({ name, of, touches, recoveryMs, needs = [], ...seen }: Target): Fault {
  return {
    ...{ name: `${name}-killed`, recoveryMs, needs, seen: seen.killed, touches: [touches] },
    what: `A ${name} process is killed with SIGKILL and stays down for 1 to 8 s.`,
    inject: async (system, random) => {
      const victim = oneOf(random, of(system));
      const lastsMs = between(random, 1_000, 8_000);
      const pid = victim.pid();
      await victim.kill();
      return {
        lastsMs,
        detail: `${victim.name} killed for ${seconds(lastsMs)}`,
        evidence: () => gone(victim, pid),
        heal: () => victim.start(),
      };
    },
  };
}

async function gone(victim: Victim, pid: number): Promise<string> {
  await until(`${victim.name} is gone`, () => victim.state() === "gone", SHOWN_MS);
  return `process ${pid} is gone`;
}

function frozen({ name, of, touches, recoveryMs, needs = [], ...seen }: Target): Fault {
  return {
    ...{ name: `${name}-frozen`, recoveryMs, needs, seen: seen.frozen, touches: [touches] },
    what: `A ${name} process is stopped with SIGSTOP for 5 to 90 s, then continues.`,
    inject: async (system, random) => {
      const victim = oneOf(random, of(system));
      const lastsMs = freezeMs(random);
      victim.freeze();
      return {
        lastsMs,
        detail: `${victim.name} frozen for ${seconds(lastsMs)}`,
        evidence: async () => {
          await until(`${victim.name} is frozen`, () => victim.state() === "frozen", SHOWN_MS);
          return `process ${victim.pid()} is stopped`;
        },
        heal: async () => victim.resume(),
      };
    },
  };
}

/** Mostly short, sometimes much longer than any lease or time-out. */
function freezeMs(random: () => number): number {
  const share = random() ** 4;
  return Math.round(1_000 * (SHORTEST_FREEZE_S + share * (LONGEST_FREEZE_S - SHORTEST_FREEZE_S)));
}

function allKilled(): Fault {
  return {
    name: "all-killed",
    what: "Every role, Redis, the brokers and the ledger's server are killed at once.",
    seen: "connections close; accepted orders are decided once everything runs again",
    recoveryMs: 45_000,
    inject: async (system) => killAll(system),
  };
}

async function killAll(system: ChaosSystem): Promise<Injected> {
  const nodes = [...new Set(system.brokers.flatMap((broker) => broker.nodes))];
  const { server } = system.ledger;
  const stores: Victim[] = [system.redis, ...nodes, ...(server ? [server] : [])];
  const victims = [...system.roles, ...stores];
  await Promise.all(victims.map((victim) => victim.kill()));
  const dead = victims.filter((victim) => victim.state() === "gone").length;
  return {
    lastsMs: 0,
    detail: `${victims.length} processes killed`,
    evidence: async () => {
      if (dead < victims.length) throw new Error(`${victims.length - dead} still run`);
      return `all ${dead} processes are gone`;
    },
    heal: async () => {
      await Promise.all(stores.map((store) => store.start()));
      await Promise.all(system.roles.map((one) => one.start()));
    },
  };
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
