// A fault: begins, proves that it took effect, and ends. The runner draws faults, victims and
// durations from one seed; a fault draws from the `random` that it receives and from nothing else.
import type { ChaosSystem } from "./system.ts";

/**
 * What a fault needs of the system in which it happens. The runner starts the systems of a suite so
 * that each need is met, and leaves a fault out, by name, where this machine cannot meet it.
 *
 * separate-brokers a RabbitMQ node of its own for each region cluster the home region is a cluster
 * of three nodes sqlite, postgres the kind of ledger proxies a proxy on each line between two parts
 * (ChaosSystem.links) alone nothing else may fail at the same time earlier-release the sources of
 * an earlier release (git) root this process runs as root cc a C compiler, for processes that run
 * with the shim (shim/) memory-groups control groups that limit memory
 */
export const NEEDS = [
  "separate-brokers",
  "cluster",
  "sqlite",
  "postgres",
  "proxies",
  "alone",
  "earlier-release",
  "root",
  "cc",
  "memory-groups",
] as const;
export type Need = (typeof NEEDS)[number];

/** One kind of fault, which begins, proves that it took effect, and ends. */
export interface Fault {
  /** Unique, kebab-case. */
  readonly name: string;
  /** One sentence for the report and the documents: what happens. */
  readonly what: string;
  /** One sentence: what clients see meanwhile. */
  readonly seen: string;
  readonly needs?: readonly Need[];
  /**
   * The parts that it disturbs: a kind of role, `redis`, `broker`, `ledger`, `network`, `clock`.
   * Faults that happen at the same time have no part in common. Default: it happens on its own.
   */
  readonly touches?: readonly string[];
  /** Parts that it leaves alone, but that must be healthy for it to show. */
  readonly apartFrom?: readonly string[];
  /** How long after healing flow must be back, ms. */
  readonly recoveryMs: number;
  /** Begins. Draws its target and duration from `random`. */
  inject(system: ChaosSystem, random: () => number): Promise<Injected>;
}

export interface Injected {
  /** Its target and duration: `worker-2 frozen for 12 s`. */
  readonly detail: string;
  /** How long it lasts before the runner heals it, ms; 0 if it is over as soon as it has begun. */
  readonly lastsMs: number;
  /** Resolves with what shows that it took effect; rejects if nothing shows it within a bound. */
  evidence(): Promise<string>;
  /** Ends it; resolves when everything that it touched runs again. Called once, always. */
  heal(): Promise<void>;
  /** A duration of its own that it has measured by the time it is healed, ms. */
  measuredMs?(): number | undefined;
}

/** A whole number from `least` to `most`. */
export function between(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** One of several; there must be at least one. */
export function oneOf<T>(random: () => number, choices: readonly T[]): T {
  if (choices.length === 0) throw new Error("nothing to choose from");
  return choices[Math.floor(random() * choices.length)] as T;
}

/** Whether both may happen at the same time. */
export function apart(a: Fault, b: Fault): boolean {
  return (
    a.touches !== undefined &&
    b.touches !== undefined &&
    !a.touches.some((part) => b.touches?.includes(part) || b.apartFrom?.includes(part)) &&
    !b.touches.some((part) => a.apartFrom?.includes(part))
  );
}
