// Resource use of processes from /proc: CPU time and resident memory (Linux only, like the bench).
import { readdirSync, readFileSync } from "node:fs";
import { at } from "../../core/domain/at.ts";
import type { Stack } from "../../proof/demo/stack.ts";

/** Clock ticks a second; 100 on every Linux that matters. */
export const TICKS_PER_S = 100;
const PAGE_BYTES = 4_096;
/**
 * Places in /proc/<pid>/stat after the name (proc(5)). From `userTicks` up to `priority` lies CPU
 * time: its own, and of children that have exited, such as Redis's when it rewrites its file.
 */
const STAT = { parent: 1, userTicks: 11, priority: 15, residentPages: 21 } as const;

export interface Usage {
  readonly cpuMicros: number;
  readonly rssBytes: number;
}

/** CPU time and memory of a process and all its descendants. */
export function usageOf(pid: number): Usage {
  let cpuMicros = 0;
  let rssBytes = 0;
  for (const one of withDescendants(pid)) {
    const fields = statOf(one);
    if (!fields) continue;
    const ticks = fields
      .slice(STAT.userTicks, STAT.priority)
      .reduce((sum, field) => sum + Number(field), 0);
    cpuMicros += (ticks * 1e6) / TICKS_PER_S;
    rssBytes += Number(fields[STAT.residentPages]) * PAGE_BYTES;
  }
  return { cpuMicros, rssBytes };
}

function usageOfAll(processes: readonly { readonly pid: number }[]): Usage {
  const all = processes.map(({ pid }) => usageOf(pid));
  const sum = (of: keyof Usage) => all.reduce((total, one) => total + one[of], 0);
  return { cpuMicros: sum("cpuMicros"), rssBytes: sum("rssBytes") };
}

/** Usage of each role and private service of a stack. */
export function usageByPart({ fleet, services, beside }: Stack): Map<string, Usage> {
  const usage = new Map<string, Usage>();
  for (const role of fleet.roles) usage.set(role.name, usageOf(role.pid()));
  if (services.redis) usage.set("redis", usageOf(services.redis.pid));
  if (services.brokers) usage.set("rabbitmq", usageOfAll(services.brokers.nodes));
  for (const [name, pid] of beside) usage.set(name, usageOf(pid));
  return usage;
}

/** CPU time since an earlier look, by part, for each of `orders`. */
export function cpuSince(
  before: ReadonlyMap<string, Usage>,
  after: ReadonlyMap<string, Usage>,
  orders: number,
): Record<string, number> {
  return Object.fromEntries(
    [...after].map(([part, { cpuMicros }]) => [
      part,
      (cpuMicros - (before.get(part)?.cpuMicros ?? 0)) / orders,
    ]),
  );
}

function withDescendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = Number(statOf(Number(name))?.[STAT.parent]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const all = [pid];
  for (let i = 0; i < all.length; i++) all.push(...(children.get(at(all, i)) ?? []));
  return all;
}

/** Fields of /proc/<pid>/stat after the name, by the places in STAT. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
