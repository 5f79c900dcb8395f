// What the owner of a shard receives, and why it may have to release the shard.
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Pacer } from "../../core/runtime/pacer.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { DecidingClock } from "../../core/stores/clock.ts";
import type { ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import type { Governing } from "../governor/governing.ts";
import type { Counts } from "../orders/counts.ts";
import type { StopReason } from "../orders/decider-options.ts";
import type { Publishers } from "../orders/publishers.ts";
import type { Recorder } from "../orders/recorder.ts";
import type { RegionLink, Relay } from "../orders/relay.ts";
import type { AcquiredShard } from "./shard-owner.ts";

export interface OwnerOptions {
  readonly runtime: Runtime;
  readonly worker: string;
  readonly shard: number;
  readonly stores: {
    readonly store: ShardStore;
    readonly ledger: Ledger;
    readonly writer: LedgerWriter;
  };
  readonly brokers: {
    readonly regions: readonly RegionLink[];
    readonly publishers: Publishers;
    /** Regions that are away and will not come back, as an operator has declared. */
    readonly lost: () => ReadonlySet<string>;
  };
  /** Shared by all shards of the worker. */
  readonly shared: {
    readonly recorder: Recorder;
    readonly relay: Relay;
    readonly governing: Governing;
    readonly counts: Counts;
    readonly spans: SpanRecorder | undefined;
    /** When batches are decided. */
    readonly decidePacer: Pacer;
    /** When Redis learns what the ledger has. */
    readonly markPacer: Pacer;
    /** When messages are acknowledged. */
    readonly ackPacer: Pacer;
    /** Requests rates that orders wait for. */
    readonly askRates: (pairs: readonly string[]) => void;
  };
  readonly waits: {
    readonly dedupWindowMs: number;
    readonly gapTimeoutMs: number;
    readonly gapMaxMs: number;
    readonly holdTtlMs: number;
    readonly rateWaitMs: number;
  };
  /** Redis's clock. */
  readonly clock: DecidingClock;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  readonly onStop: (owner: AcquiredShard, reason: OwnerStop, detail: string) => void;
}

/** `foreign`: this Redis belongs to another ledger. */
export type OwnerStop = StopReason | "foreign";
