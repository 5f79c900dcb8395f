// What a scenario is, and what happened in it.
import type { Fault } from "./fault.ts";
import type { Stores } from "./stores.ts";

export interface Scenario {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** How many faults a burst may have. */
  readonly atOnce: number;
  /** Default: what its faults need, or SQLite. */
  readonly ledger?: "sqlite" | "postgres";
  /** It ends once each fault has happened. Default: when its time is over. */
  readonly once?: boolean;
}

export interface ScenarioOptions {
  readonly scenario: Scenario;
  readonly stores: Stores;
  /** Parent of the scenario's folder. */
  readonly dir: string;
  readonly seed: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly say: (line: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** For tests: what runs the roles instead of this release. */
  readonly cli?: string | undefined;
  /** Also runs the independent checker, where Go is available. */
  readonly independent?: boolean | undefined;
  /** Ends early, but heals, drains and verifies. */
  readonly stopped?: () => boolean;
  readonly onSystem?: (system: { stop(): Promise<void> }) => void;
}

/** One fault that happened. */
export interface Struck {
  readonly fault: string;
  readonly detail: string;
  /** Ms since the load began: when it was injected and when it was healed. */
  readonly atMs: number;
  readonly healedMs: number;
  /** What shows that it took effect; undefined if nothing did. */
  readonly evidence: string | undefined;
  /** Why there is no evidence, or what failed. */
  readonly failure: string | undefined;
  /** From the burst's last healing until orders were accepted and decided everywhere. */
  readonly recoveryMs: number | undefined;
  /** From its beginning until orders sent after that were accepted and decided everywhere. */
  readonly sinceBeginningMs: number | undefined;
  /** A duration that the fault itself measured. */
  readonly measuredMs?: number | undefined;
  readonly recoveryLimitMs: number;
}

/** What happens only once in the life of a system. */
export const ONCE = "earlier-release";

export function needs({ faults }: Scenario): ReadonlySet<string> {
  return new Set(faults.flatMap((fault) => fault.needs ?? []));
}
