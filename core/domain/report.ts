// What roles report once a second. What an operator sees (overview.ts) and the metrics are made
// only from these reports. Counters only grow while a process runs; a rate is the difference of two
// reports.

/**
 * Durations. `counts[i]` of them took at most `bounds[i]` seconds and longer than the bound before;
 * the last count is of longer ones.
 */
export interface HistogramReport {
  /** Seconds, ascending. */
  readonly bounds: readonly number[];
  /** One more value than `bounds`. */
  readonly counts: readonly number[];
  /** Seconds. */
  readonly sum: number;
}

export interface ProcessReport {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  /** When it started, Unix ms. */
  readonly sinceMs: number;
  readonly rssBytes: number;
  /** CPU time used so far, seconds. */
  readonly cpuSeconds: number;
  /** Longest delay of the event loop in the last second, ms. */
  readonly loopDelayMs: number;
  /** Counter: errors ignored on purpose, by name (core/runtime/ignored.ts). */
  readonly ignored: Readonly<Record<string, number>>;
}

/** `blocked`: it has raised an alarm (memory, disk) and accepts nothing. */
export type BrokerState = "up" | "blocked" | "away";

export type AdmissionState = "open" | "pressured" | "closed";

/** How far a gateway accepts orders of a shard. */
export interface ShardAdmission {
  readonly shard: number;
  readonly state: AdmissionState;
  /** Orders accepted here whose outcome has not arrived. */
  readonly pending: number;
  /** Most orders that may be pending. */
  readonly limit: number;
  /** Expected wait for the outcome of an order accepted now. */
  readonly waitMs: number;
}

/** Where a gateway publishes, and what it knows about each region, home first. */
export interface Publishing {
  readonly publishesTo: string;
  readonly regions: readonly {
    readonly region: string;
    readonly broker: BrokerState;
    /** `open`: it gets no orders; `half-open`: one batch at a time, on trial. */
    readonly breaker: "closed" | "open" | "half-open";
    /** Why the breaker has its state, and since when, Unix ms. */
    readonly why: string;
    readonly sinceMs: number;
    /** Counter: batches that the region has confirmed. */
    readonly confirmed: number;
    /**
     * Shards whose queue there failed and has not confirmed since, whatever the region does.
     * Absent: a gateway of an earlier release.
     */
    readonly queues?: readonly string[];
  }[];
}

/**
 * Whether file descriptors are left: `tight`: no new WebSockets, and idle connections are closed;
 * `out`: no new connections.
 */
export type DescriptorState = "free" | "tight" | "out";

/** Parts that services claim over HTTP. */
export interface PartClaimsReport {
  /** Callers that wait for parts. */
  readonly waiting: number;
  /**
   * Services that called within the last five minutes: their queues need no other consumer. Absent:
   * a gateway of an earlier release.
   */
  readonly services?: readonly string[];
  /**
   * Counters of parts: `claimed`; reported `done`, put off (`later`) and `failed`; reported after
   * their lease (`late`); `gone` when they were claimed; `returned` to their queue unclaimed.
   */
  readonly parts: Readonly<
    Record<"claimed" | "done" | "later" | "failed" | "late" | "gone" | "returned", number>
  >;
}

export interface GatewayReport extends ProcessReport {
  readonly kind: "gateway";
  readonly region: string;
  readonly url: string;
  readonly draining: boolean;
  /** Of its own region. */
  readonly broker: BrokerState;
  readonly publishing: Publishing;
  /** The worst state of its shards, or the state that applies to all of them. */
  readonly admission: AdmissionState;
  /**
   * Reasons for not being open: `wait`, `stalled`, `late`, `broker`, `redis_memory`, `draining`.
   */
  readonly reasons: readonly string[];
  readonly shards: readonly ShardAdmission[];
  /** Counters: rows by the result of their batch. */
  readonly rows: Readonly<Record<"confirmed" | "shed" | "unconfirmed", number>>;
  readonly batches: number;
  /** Counter: refused requests by problem code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Counter: the payment provider's webhooks by result. */
  readonly webhooks: Readonly<Record<string, number>>;
  readonly sockets: number;
  /** Bytes that their clients have not read. Absent: a gateway of an earlier release. */
  readonly unreadBytes?: number;
  /** Absent: they cannot be known, or a gateway of an earlier release. */
  readonly descriptors?: {
    readonly state: DescriptorState;
    readonly open: number;
    readonly limit: number;
  };
  /**
   * Counters: WebSockets refused and idle connections closed for lack of descriptors, and how often
   * it stopped listening. Absent: a gateway of an earlier release.
   */
  readonly turnedAway?: Readonly<Record<"sockets" | "idle" | "pauses", number>>;
  /** Counter: refusals answered late. Absent: a gateway of an earlier release. */
  readonly lateRefusals?: number;
  /** Absent: no parts over HTTP, or a gateway of an earlier release. */
  readonly claims?: PartClaimsReport | undefined;
  readonly waitingBytes: number;
  readonly undecided: number;
  readonly followed: number;
  /** From a batch's publish to its confirm, per batch. */
  readonly confirm: HistogramReport;
  /** From an order's acceptance until its outcome arrived, per order. */
  readonly outcome: HistogramReport;
}

export type GovernorState = "running" | "slowed" | "paused";

export interface GovernorReport {
  readonly state: GovernorState;
  /** 0: running; 1 to 3: slowed, each with half the batch of the level before; 4: paused. */
  readonly level: number;
  /** Signals over their threshold; `operator` for a pause by an operator. */
  readonly reasons: readonly string[];
  /** The last value of each signal by name, in the unit that the name ends with. */
  readonly signals: Readonly<Record<string, number>>;
  /** Counters: how often it entered each state, and slowed by a level for each reason. */
  readonly transitions: Readonly<Record<GovernorState, number>>;
  readonly eased: Readonly<Record<string, number>>;
}

/** A shard as its owner sees it. */
export interface ShardReport {
  readonly shard: number;
  /**
   * By region: how long ago the oldest message in flight was accepted, the messages ready in the
   * queue, and when those were counted (Unix ms, Redis's clock). null: unknown.
   */
  readonly regions: readonly {
    readonly region: string;
    readonly lagMs: number;
    readonly ready: number | null;
    readonly lookedAtMs: number;
  }[];
  /** Messages and entries in flight. */
  readonly load: number;
  /** Parked orders of this shard. */
  readonly parked: number;
}

export interface WorkerReport extends ProcessReport {
  readonly kind: "worker";
  /** `running`, `rebuilding`, or `halted: ` and the reason. */
  readonly state: string;
  readonly governor: GovernorReport;
  readonly ledger: "up" | "away";
  /** Why it takes nothing though it answers, in a word of docs/operations.md. */
  readonly ledgerRefuses?: string;
  readonly brokers: readonly { readonly region: string; readonly state: BrokerState }[];
  readonly shards: readonly ShardReport[];
  /** Decided entries that the ledger may not have yet. */
  readonly unrecorded: number;
  /** Counters: decided orders by outcome, later steps by word (`paid`, `cancelled`, …). */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly steps: Readonly<Record<string, number>>;
  /** Counters: retried charges, and orders dead-lettered after their last one. */
  readonly retries: number;
  readonly deadLettered: number;
  readonly followUps: number;
  /** Only from the owner of shard 0, which counts for all. */
  readonly dead?: readonly DeadCount[];
  readonly services?: readonly ServiceCount[];
  /** From the same worker: attempts still owed or unknown after their order's end. */
  readonly owed?: Readonly<Record<string, number>>;
  /** From the same worker: exchange rates that wait for an operator; absent: not known. */
  readonly ratesHeld?: number;
  readonly rebuilds: number;
  /** How long the last one took; absent: none, or a worker of an earlier release. */
  readonly rebuildTookMs?: number;
  /** Rebuilds that ended without opening Redis. */
  readonly rebuildsFailed: number;
  /** Orders in one FCALL, per call; `bounds` and `sum` are orders. */
  readonly batch: HistogramReport;
  /** Per call. */
  readonly decide: HistogramReport;
  readonly commit: HistogramReport;
  /** From acceptance until recorded, per order. */
  readonly recorded: HistogramReport;
}

/** Turns in a row that the provider did not serve. */
export interface ProviderFailing {
  /** The first and the last of them, Unix ms. */
  readonly sinceMs: number;
  readonly lastMs: number;
  readonly failures: number;
  /** Of the last one. */
  readonly why: string;
}

export interface PaymentsReport extends ProcessReport {
  readonly kind: "payments";
  readonly governor: GovernorReport;
  readonly breaker: string;
  /** Absent: the last turn was served, or there was none. */
  readonly failing?: ProviderFailing | undefined;
  readonly load: number;
  /** Counters: the provider's answers by word (captured, failed, unknown, refunded), look-ups. */
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
  /** When the last rates were sent, Unix ms; 0: never. */
  readonly lastMs: number;
}

export interface SenderReport extends ProcessReport {
  readonly kind: "sender";
  readonly ledger: "up" | "away";
  /** Webhook endpoints that this process serves. */
  readonly endpoints: number;
  /** Paused endpoints, of all; absent: not known yet. */
  readonly pausedEndpoints?: number | undefined;
  /** Events that wait for another try, or behind one of their order. */
  readonly held: number;
  /** Counters: deliveries by outcome. */
  readonly deliveries: Readonly<Record<"delivered" | "failed" | "given_up", number>>;
  readonly call: HistogramReport;
}

export type RoleReport =
  | GatewayReport
  | WorkerReport
  | PaymentsReport
  | FulfilReport
  | RatesReport
  | SenderReport;

/** Messages in a queue of dead letters or of parts without a route. */
export interface DeadCount {
  readonly queue: string;
  readonly region: string;
  readonly messages: number;
  /**
   * Of these: parts in `fulfilment.unrouted` that a service gave up; the others wait for a route.
   * Absent: unknown, or another queue.
   */
  readonly givenUp?: number;
  /** When they were counted, Unix ms; absent: by a worker of an earlier release. */
  readonly atMs?: number;
  /** Since when the queue has not been seen empty, Unix ms; null: it is empty, or unknown. */
  readonly sinceMs?: number | null;
}

/** The queue of a service that has a route. */
export interface ServiceCount {
  readonly service: string;
  readonly region: string;
  readonly messages: number;
  readonly consumers: number;
}
