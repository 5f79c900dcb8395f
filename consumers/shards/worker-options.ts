// What a worker receives.
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { PublisherSetting } from "../../core/settings/setting-readers.ts";
import type { SharedClock } from "../../core/stores/clock.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import type { CpuWatch } from "../governor/cpu.ts";
import type { GovernorSettings } from "../governor/governing.ts";
import type { RegionLink } from "../orders/relay.ts";
import type { SnapshotJob } from "../rebuild/make-snapshot.ts";

export interface WorkerOptions {
  readonly runtime: Runtime;
  readonly id: string;
  readonly stores: {
    readonly redis: RedisStore;
    readonly ledger: Ledger;
    readonly writer: LedgerWriter;
    /** For the thread that makes snapshots. */
    readonly ledgerUrl: string;
  };
  readonly brokers: {
    readonly regions: readonly RegionLink[];
    /** What each user of the brokers may publish. */
    readonly publishers: readonly PublisherSetting[];
  };
  readonly waits: {
    readonly leaseMs: number;
    readonly dedupWindowMs: number;
    readonly gapTimeoutMs: number;
    readonly gapMaxMs: number;
    /** How long units are held for an order whose charge has not started. */
    readonly holdTtlMs: number;
    /** How old a rate may be, and how long an order waits for one. */
    readonly rateMaxAgeMs: number;
    /** The most a rate may change at once, percent. */
    readonly rateMaxStep: number;
    readonly rateWaitMs: number;
    /** How long each retry of a charge waits. */
    readonly retryDelaysMs: readonly number[];
  };
  /** Entries of a shard from one snapshot to the next. */
  readonly snapshotEntries: number;
  /** Absent: a thread makes snapshots (consumers/rebuild/snapshots.ts). */
  readonly makeSnapshot?: (job: SnapshotJob) => Promise<number>;
  readonly governing: {
    readonly governor: GovernorSettings;
    /** undefined: the CPU is not watched. */
    readonly cpu: CpuWatch | undefined;
  };
  readonly spans: SpanRecorder | undefined;
  /** Redis's clock. */
  readonly clock: SharedClock;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}
