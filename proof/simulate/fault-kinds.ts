// The faults of the simulation as data: how often each is drawn, and how long it lasts.

export interface FaultTraits {
  readonly weight: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** Counts as a crash in the report. */
  readonly crash?: true;
  /** Redis or the ledger loses something. */
  readonly loss?: true;
}

const fault = (weight: number, leastMs: number, mostMs: number): FaultTraits => ({
  ...{ weight, leastMs, mostMs },
});
const crash = (weight: number, leastMs: number, mostMs: number): FaultTraits => ({
  ...fault(weight, leastMs, mostMs),
  crash: true,
});
const loss = (weight: number, leastMs = 20, mostMs = 3_000): FaultTraits => ({
  ...fault(weight, leastMs, mostMs),
  ...{ crash: true, loss: true },
});

/** Of processes: killed and started again, stopped in order, frozen, stalled, on a wrong clock. */
export const PROCESS_FAULTS = {
  kill_worker: crash(8, 20, 6_000),
  kill_payments: crash(3, 20, 5_000),
  kill_service: crash(2, 20, 5_000),
  kill_gateway: crash(3, 20, 4_000),
  stop_worker: fault(2, 20, 3_000),
  freeze_worker: fault(4, 500, 12_000),
  freeze_payments: fault(2, 500, 12_000),
  freeze_service: fault(1, 500, 12_000),
  freeze_gateway: fault(1, 200, 8_000),
  stall: fault(3, 20, 400),
  wall_clock: fault(1, 1_000, 8_000),
  // Operators, whose command may be interrupted.
  redrive: fault(2, 50, 8_000),
  ask_again: fault(1, 50, 8_000),
} satisfies Record<string, FaultTraits>;

/** Of brokers: a region's node, its network, its confirms. */
export const BROKER_FAULTS = {
  broker_crash: crash(3, 50, 5_000),
  broker_cut: fault(2, 500, 10_000),
  broker_cut_one: fault(2, 500, 10_000),
  broker_reset: fault(3, 10, 20),
  broker_alarm: fault(2, 500, 6_000),
  confirms_lost: fault(3, 500, 5_000),
  broker_slow: fault(2, 500, 5_000),
  // Only in profiles (profiles.ts): a service's queue takes nothing; many publications are lost.
  queue_refuses: fault(0, 500, 8_000),
  publications_lost: fault(0, 500, 4_000),
} satisfies Record<string, FaultTraits>;

/** Of Redis: its content, its process, its answers, its clock. */
export const REDIS_FAULTS = {
  redis_wipe: loss(3),
  redis_rollback: loss(3, 20, 4_000),
  redis_failover: loss(2, 20, 4_000),
  lost_while_loading: loss(4, 3_000, 6_000),
  redis_away: crash(2, 100, 4_000),
  redis_silent: fault(2, 500, 8_000),
  redis_reset: fault(2, 10, 20),
  replies_lost: fault(3, 300, 3_000),
  redis_slow: fault(2, 300, 3_000),
  redis_refuses: fault(2, 300, 4_000),
  functions_lost: fault(1, 10, 20),
  redis_clock: fault(1, 1_000, 8_000),
  // Only in profiles: every call takes its time.
  redis_crawls: fault(0, 500, 8_000),
} satisfies Record<string, FaultTraits>;

/** Of the ledger: answers and commits. */
export const LEDGER_FAULTS = {
  commits_in_doubt: fault(4, 300, 3_000),
  ledger_silent: fault(2, 500, 8_000),
  ledger_slow: fault(2, 500, 4_000),
  // Only in profiles: every commit takes its time, or those of one worker do.
  ledger_crawls: fault(0, 500, 8_000),
  ledger_crawls_one: fault(0, 500, 8_000),
  /** Never drawn with others that lose something: see schedule.ts. */
  ledger_restored: fault(0, 300, 5_000),
} satisfies Record<string, FaultTraits>;

/** Of the payment provider. */
export const PROVIDER_FAULTS = {
  provider_outage: fault(1, 500, 6_000),
  provider_unreachable: fault(1, 500, 6_000),
} satisfies Record<string, FaultTraits>;

export const FAULTS: Readonly<Record<FaultKind, FaultTraits>> = {
  ...PROCESS_FAULTS,
  ...BROKER_FAULTS,
  ...REDIS_FAULTS,
  ...LEDGER_FAULTS,
  ...PROVIDER_FAULTS,
};

export type ProcessFault = keyof typeof PROCESS_FAULTS;
export type BrokerFault = keyof typeof BROKER_FAULTS;
export type RedisFault = keyof typeof REDIS_FAULTS;
export type LedgerFault = keyof typeof LEDGER_FAULTS;
export type ProviderFault = keyof typeof PROVIDER_FAULTS;
export type FaultKind = ProcessFault | BrokerFault | RedisFault | LedgerFault | ProviderFault;
