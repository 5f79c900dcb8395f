// All faults, and the scenarios that are made of them: each fault alone, and mixes.
import { earlierRevision } from "./earlier.ts";
import type { Fault, Need } from "./fault.ts";
import { BROKER_FAULTS } from "./faults/broker.ts";
import { CLOCK_FAULTS } from "./faults/clock.ts";
import { DISK_FAULTS } from "./faults/disk.ts";
import { hasMemoryGroups } from "./faults/kernel.ts";
import { LEDGER_FAULTS } from "./faults/ledger.ts";
import { MESSAGE_FAULTS } from "./faults/messages.ts";
import { NET_FAULTS } from "./faults/net.ts";
import { OTHERS_FAULTS } from "./faults/others.ts";
import { POSTGRES_FAULTS } from "./faults/postgres.ts";
import { PROCESS_FAULTS } from "./faults/processes.ts";
import { REDIS_FAULTS } from "./faults/redis.ts";
import { REGION_GONE } from "./faults/region-gone.ts";
import { REGION_FAULTS } from "./faults/regions.ts";
import { RESOURCE_FAULTS } from "./faults/resources.ts";
import { UPGRADE_FAULTS } from "./faults/upgrade.ts";
import { WORKER_FAULTS } from "./faults/workers.ts";
import type { Scenario } from "./scenario.ts";
import { hasCompiler } from "./shim/shim.ts";

export const FAULTS: readonly Fault[] = [
  ...PROCESS_FAULTS,
  ...REDIS_FAULTS,
  ...BROKER_FAULTS,
  ...REGION_FAULTS,
  REGION_GONE,
  ...MESSAGE_FAULTS,
  ...OTHERS_FAULTS,
  ...LEDGER_FAULTS,
  ...WORKER_FAULTS,
  ...UPGRADE_FAULTS,
  ...NET_FAULTS,
  ...DISK_FAULTS,
  ...CLOCK_FAULTS,
  ...RESOURCE_FAULTS,
  ...POSTGRES_FAULTS,
];

/** The reason why this machine cannot meet a need; undefined if it can. */
export function unmet(need: Need): string | undefined {
  switch (need) {
    case "root":
      return process.getuid?.() === 0 ? undefined : "it needs root";
    case "cc":
      return hasCompiler() ? undefined : "there is no C compiler";
    case "memory-groups":
      return hasMemoryGroups() ? undefined : "control groups of memory cannot be made here";
    case "postgres":
      return undefined;
    case "earlier-release":
      return earlierRevision() === undefined ? "there is no earlier release in git" : undefined;
    case "separate-brokers":
    case "cluster":
    case "sqlite":
    case "proxies":
    case "alone":
      return undefined;
  }
}

/** Faults whose needs cannot be met here, with the reason. */
export function leftOut(faults: readonly Fault[] = FAULTS): ReadonlyMap<string, string> {
  const reasons = faults.map((fault) => {
    const reason = (fault.needs ?? []).map(unmet).find((found) => found !== undefined);
    return [fault.name, reason] as const;
  });
  return new Map(reasons.flatMap(([name, reason]) => (reason ? [[name, reason] as const] : [])));
}

export function faultsNamed(names: readonly string[]): Fault[] {
  return names.map((name) => {
    const found = FAULTS.find((fault) => fault.name === name);
    if (!found) throw new Error(`no fault '${name}'; --list shows all`);
    return found;
  });
}

/** Names of mixes → which faults they draw from. */
const MIXES: Readonly<Record<string, (fault: Fault) => boolean>> = {
  "mix-workers": ({ touches = [] }) => touches.includes("worker"),
  "mix-roles": ({ touches = [] }) => touches.some((part) => ROLE_PARTS.has(part)),
  "mix-money": ({ touches = [] }) => touches.some((part) => MONEY_PARTS.has(part)),
  "mix-redis": ({ touches = [] }) => touches.some((part) => part === "redis" || part === "worker"),
  "mix-broker": ({ touches = [] }) =>
    touches.some((part) => part === "broker" || part === "worker"),
  "mix-stores": ({ touches = [] }) => touches.some((part) => STORE_PARTS.has(part)),
  "mix-network": ({ touches = [] }) => touches.includes("network"),
  "mix-all": () => true,
};
const ROLE_PARTS: ReadonlySet<string> = new Set(["worker", "gateway", "payments", "fulfil"]);
const MONEY_PARTS: ReadonlySet<string> = new Set(["payments", "provider", "rates", "fulfil"]);
const STORE_PARTS: ReadonlySet<string> = new Set(["redis", "broker", "ledger"]);
/** Faults of one burst of a mix. */
export const AT_ONCE = 3;

/** Each fault that this machine can make, alone, and then the mixes. */
export function suite(faults: readonly Fault[] = FAULTS): Scenario[] {
  const out = leftOut(faults);
  const able = faults.filter(({ name }) => !out.has(name));
  const alone = able.map((fault) => ({ name: fault.name, faults: [fault], atOnce: 1 }));
  const mixes = (["sqlite", "postgres"] as const).flatMap((ledger) =>
    Object.entries(MIXES).flatMap(([name, fits]) => {
      const drawn = mixable(able, ledger).filter(fits);
      return drawn.length < 2 ? [] : [mixOf(`${name}-${ledger}`, drawn, ledger)];
    }),
  );
  return [...alone, ...mixes];
}

/** Faults of one tour. */
const TOUR = 10;

/** Each fault that this machine can make, once and alone, up to ten on one system. */
export function tours(faults: readonly Fault[]): Scenario[] {
  const out = leftOut(faults);
  const able = faults.filter(({ name }) => !out.has(name));
  const kinds = Map.groupBy(able, kindOf);
  return [...kinds].flatMap(([kind, own]) =>
    Array.from({ length: Math.ceil(own.length / TOUR) }, (_, i) => ({
      name: `tour-${kind}-${i + 1}`,
      faults: own.slice(i * TOUR, (i + 1) * TOUR),
      ...{ atOnce: 1, once: true },
    })),
  );
}

/** Faults of one kind can happen to one system, one after the other. */
function kindOf({ name, needs = [] }: Fault): string {
  if (needs.includes("alone") || needs.includes("earlier-release")) return name;
  const of = (["postgres", "cluster", "sqlite"] as const).find((need) => needs.includes(need));
  return `${of ?? "any"}${needs.includes("proxies") ? "-lines" : ""}`;
}

export function mixOf(
  name: string,
  faults: readonly Fault[],
  ledger: Scenario["ledger"],
): Scenario {
  return { name, faults, ledger, atOnce: AT_ONCE };
}

/** Faults that may share a system and a scenario with others. */
export function mixable(faults: readonly Fault[], ledger: "sqlite" | "postgres"): Fault[] {
  const other = ledger === "sqlite" ? "postgres" : "sqlite";
  const never: readonly Need[] = ["alone", "earlier-release", "cluster", other];
  return faults.filter(({ needs = [] }) => !needs.some((need) => never.includes(need)));
}
