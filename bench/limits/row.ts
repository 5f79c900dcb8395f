// A stage measured alone, beside the minimum that any program would spend on the same work.

export const STAGES = ["gateway", "http", "rabbitmq", "redis", "ledger"] as const;
export type Stage = (typeof STAGES)[number];

export interface LimitRow {
  readonly stage: Stage;
  readonly what: string;
  /** Orders that share a unit of work: a message, a call, a transaction. */
  readonly together: number;
  /** µs of CPU per order, in all processes that the stage needs. */
  readonly micros: number;
  readonly floor: string;
  /** µs per order; undefined if the floor could not be measured here. */
  readonly floorMicros?: number;
}

export interface LimitOptions {
  readonly dir: string;
  /** Length of each timed part, in seconds. */
  readonly seconds: number;
}
