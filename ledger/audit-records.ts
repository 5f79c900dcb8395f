// What an auditor reads from the ledger: its tables' rows as plain records.
export interface JournalMessage {
  /** Its number in the ledger; order rows refer to it. */
  readonly key: number;
  readonly gateway: string;
  /** JSON array of rows, as published. */
  readonly body: string;
  /** A word a row, separated by commas. */
  readonly outcomes: string;
}

export interface JournalEntry {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
  readonly prev: string;
  readonly kind: string;
  /** Redis's clock. */
  readonly atMs: number;
  /** Of the owner that had it recorded. */
  readonly epoch: number;
  /** When the ledger took it, by the writer's clock; 0: not known. */
  readonly recordedMs: number;
  readonly messages: readonly JournalMessage[];
  /** JSON array of [gateway, row, state]. */
  readonly released: string;
  /** JSON array of what became of reserved orders. */
  readonly steps: string;
}

export interface ChargeRecord {
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
  readonly amount: number;
  readonly currency: string;
  /**
   * waiting, dropped, started, captured, failed, unknown, refunding, refunded, refund_failed,
   * returned, disputed.
   */
  readonly status: string;
  /** Empty for an order in its sale's own currency. */
  readonly rateId: string;
  readonly rate: string;
}

export interface PartRecord {
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  readonly part: number;
  readonly of: number;
  readonly service: string;
  /** waiting, claimed, done, cancelled. */
  readonly status: string;
  /** JSON: [{sku, qty, category}] */
  readonly lines: string;
}

export interface PostingRecord {
  readonly cause: string;
  readonly currency: string;
  readonly account: string;
  readonly amount: number;
}

export interface OrderRecord {
  readonly user: string;
  readonly id: string;
  readonly state: string;
  readonly message: number;
  readonly index: number;
}

export interface ItemRecord {
  readonly saleId: string;
  readonly sku: string;
  readonly limitPerUser: number;
  readonly priceMinor: number;
  readonly initial: number;
  readonly restocked: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
  /** Of a sale that has been retired: Redis does not have it any more. */
  readonly retired?: boolean;
}

export interface MovementRecord {
  readonly cause: string;
  readonly saleId: string;
  readonly sku: string;
  readonly account: string;
  readonly units: number;
}

export interface SaleRecord {
  readonly id: string;
  readonly currency: string;
  readonly opensAtMs: number;
  readonly closesAtMs: number;
}

/** An operator's change, as it was asked for. */
export interface OperationRecord {
  readonly operation: {
    readonly kind: string;
    readonly saleId?: string;
    readonly sku?: string;
    readonly units?: number;
    readonly atMs?: number;
    readonly sale?: {
      readonly id: string;
      readonly opensAtMs: number;
      readonly closesAtMs: number;
    };
  };
  readonly atMs: number;
  /** When Redis was known to have it; 0: not known. */
  readonly appliedMs: number;
}

/**
 * Two entries of a shard that follow each other, between which Redis may have lost what it had
 * decided.
 */
export interface Seam {
  readonly shard: number;
  /** -Infinity before a shard's first entry. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How often the shard's epoch was raised between them. */
  readonly raised: number;
}

export interface LetterFate {
  readonly letter: string;
  readonly queue: string;
  readonly fate: string;
  readonly reason: string;
  readonly user: string;
  readonly id: string;
  /** 0: it named none. */
  readonly generation: number;
  readonly subject: string;
}
