// What roles say of themselves, once a second, and what an operator sees of it all: the console,
// `sluice top`, `sluice workers` and the metrics are made of these and of nothing else. Counters
// only ever grow while a process lives; who shows a rate takes two looks.

/**
 * How long something took. `counts[i]` took at most `bounds[i]` seconds and longer than the bound
 * before; the last count is for longer still.
 */
export interface HistogramReport {
  /** Seconds, ascending. */
  readonly bounds: readonly number[];
  /** One more than `bounds`. */
  readonly counts: readonly number[];
  /** Seconds. */
  readonly sum: number;
}

export interface ProcessReport {
  readonly id: string;
  /** Host and process. */
  readonly host: string;
  readonly pid: number;
  /** When it started, Unix ms. */
  readonly sinceMs: number;
  readonly rssBytes: number;
  /** CPU time it has taken so far, seconds. */
  readonly cpuSeconds: number;
  /** Longest delay of its event loop in the last second, ms. */
  readonly loopDelayMs: number;
  /** Counter: errors ignored on purpose, by name (core/runtime/ignored.ts). */
  readonly ignored: Readonly<Record<string, number>>;
}

/** `blocked`: it has raised an alarm (memory, disk) and takes nothing. */
export type BrokerState = "up" | "blocked" | "away";

export type AdmissionState = "open" | "pressured" | "closed";

/** Why a gateway takes fewer orders in, or none, of a shard. */
export interface ShardAdmission {
  readonly shard: number;
  readonly state: AdmissionState;
  /** Orders taken in here whose outcome has not been heard. */
  readonly pending: number;
  /** How many may be pending. */
  readonly limit: number;
  /** How long an order taken in now will wait for its outcome, by what is known. */
  readonly waitMs: number;
}

export interface GatewayReport extends ProcessReport {
  readonly kind: "gateway";
  readonly region: string;
  readonly url: string;
  readonly draining: boolean;
  readonly broker: BrokerState;
  /** The worst of its shards, or what closes all of them at once. */
  readonly admission: AdmissionState;
  /** Why it is not open: `wait`, `stalled`, `late`, `broker`, `redis_memory`, `draining`. */
  readonly reasons: readonly string[];
  readonly shards: readonly ShardAdmission[];
  /** Counters. Rows by what became of their batch; requests refused by problem code. */
  readonly rows: Readonly<Record<"confirmed" | "shed" | "unconfirmed", number>>;
  readonly batches: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Counter: the payment provider's webhooks by what became of them. */
  readonly webhooks: Readonly<Record<string, number>>;
  readonly sockets: number;
  readonly waitingBytes: number;
  readonly undecided: number;
  readonly followed: number;
  /** From a batch's publish to its confirm, by batches. */
  readonly confirm: HistogramReport;
  /** From the moment an order was taken in until its outcome came back, by orders. */
  readonly outcome: HistogramReport;
}

export type GovernorState = "running" | "slowed" | "paused";

export interface GovernorReport {
  readonly state: GovernorState;
  /** 0 runs freely, 1 to 3 slowed, each with half the batch of the one before; 4 paused. */
  readonly level: number;
  /** Signals over their threshold, and `operator` for a pause by hand. */
  readonly reasons: readonly string[];
  /** The last look: each signal's value by name, in the unit its name ends with. */
  readonly signals: Readonly<Record<string, number>>;
  /** Counters: how often it went into each state, and a level further down for each reason. */
  readonly transitions: Readonly<Record<GovernorState, number>>;
  readonly eased: Readonly<Record<string, number>>;
}

/** A shard as its owner sees it. */
export interface ShardReport {
  readonly shard: number;
  /**
   * By region: how long the oldest message in hand has been waiting since it was accepted; messages
   * ready in its queue when it was looked at, and when that was, Unix ms on Redis's clock. null:
   * nobody can look, or has not yet.
   */
  readonly regions: readonly {
    readonly region: string;
    readonly lagMs: number;
    readonly ready: number | null;
    readonly lookedAtMs: number;
  }[];
  /** Messages and entries in hand. */
  readonly load: number;
  /** Orders of this shard that wait for a number or a rate. */
  readonly parked: number;
}

export interface WorkerReport extends ProcessReport {
  readonly kind: "worker";
  /** `running`, `rebuilding`, `halted: why`. */
  readonly state: string;
  readonly governor: GovernorReport;
  readonly ledger: "up" | "away";
  readonly brokers: readonly { readonly region: string; readonly state: BrokerState }[];
  readonly shards: readonly ShardReport[];
  /** Entries decided and not yet in the ledger. */
  readonly unrecorded: number;
  /** Counters of decided orders by outcome, and of later steps by word (`paid`, `cancelled`, …). */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly steps: Readonly<Record<string, number>>;
  /** Retries of charges that were asked for, and orders that were dead-lettered for it. */
  readonly retries: number;
  readonly deadLettered: number;
  readonly followUps: number;
  /** Of the worker that owns shard 0: it looks at them for all. */
  readonly dead?: readonly DeadCount[];
  /** Of the same worker: attempts whose money is owed or unknown after their order's end. */
  readonly owed?: Readonly<Record<string, number>>;
  readonly rebuilds: number;
  /** Rebuilds that were begun and ended without opening Redis. */
  readonly rebuildsFailed: number;
  /** Orders in one FCALL, by calls; here `bounds` are orders and `sum` is orders. */
  readonly batch: HistogramReport;
  /** By calls. */
  readonly decide: HistogramReport;
  readonly commit: HistogramReport;
  /** From acceptance until recorded, by orders. */
  readonly recorded: HistogramReport;
}

export interface PaymentsReport extends ProcessReport {
  readonly kind: "payments";
  readonly governor: GovernorReport;
  readonly breaker: string;
  readonly load: number;
  /** Counters: answers of the provider by word (captured, failed, unknown, refunded), look-ups. */
  readonly answers: Readonly<Record<string, number>>;
  readonly call: HistogramReport;
}

export interface FulfilReport extends ProcessReport {
  readonly kind: "fulfil";
  readonly governor: GovernorReport;
  readonly service: string;
  /** Counters. */
  readonly parts: Readonly<Record<string, number>>;
}

export interface RatesReport extends ProcessReport {
  readonly kind: "rates";
  readonly source: string;
  readonly pairs: number;
  /** Unix ms of the last rates that were sent; 0: none yet. */
  readonly lastMs: number;
}

export type RoleReport = GatewayReport | WorkerReport | PaymentsReport | FulfilReport | RatesReport;

/** Messages in a queue for dead letters, or for parts without a route. */
export interface DeadCount {
  readonly queue: string;
  readonly region: string;
  readonly messages: number;
}

/** Everything in one look: `GET /v1/admin/overview`. */
export interface Overview {
  /** Unix ms on Redis's clock. */
  readonly atMs: number;
  readonly redis: {
    readonly state: "up" | "away";
    readonly usedBytes: number;
    readonly maxBytes: number;
  };
  readonly ledger: { readonly state: "up" | "away" };
  readonly shardCount: number;
  /** Who holds each shard now. */
  readonly owners: readonly { readonly shard: number; readonly worker: string }[];
  readonly sales: readonly {
    readonly id: string;
    readonly name: string;
    readonly opensAtMs: number;
    readonly closesAtMs: number;
    readonly items: readonly {
      readonly sku: string;
      readonly name: string;
      readonly total: number;
      readonly available: number;
      readonly releasing: number;
      readonly held: number;
      readonly sold: number;
    }[];
  }[];
  /** Of every role that has reported in the last seconds. */
  readonly roles: readonly RoleReport[];
  readonly dead: readonly DeadCount[];
}
