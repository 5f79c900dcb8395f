// What an auditor reads from the ledger: rows of its tables as plain records.
export interface JournalMessage {
  /** Its number in the ledger; order rows refer to it. */
  readonly key: number;
  readonly gateway: string;
  /** As published; see core/domain/message.ts. */
  readonly body: string;
  /** One word per row, separated by commas. */
  readonly outcomes: string;
}

export interface JournalEntry {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
  readonly prev: string;
  readonly kind: string;
  /** Redis's clock, Unix ms. */
  readonly atMs: number;
  /** The epoch of the owner that recorded it. */
  readonly epoch: number;
  /** When the ledger recorded it, by the writer's clock, Unix ms; 0: unknown. */
  readonly recordedMs: number;
  readonly messages: readonly JournalMessage[];
  /** Parked orders that were released, as JSON; see core/domain/entry-text.ts. */
  readonly released: string;
  /** The later steps of reserved orders, as JSON; see core/domain/entry-text.ts. */
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
  /** Empty: it changes no revenue, or an earlier release recorded it. */
  readonly sale: string;
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

/** A new state of an order, a conflict, or an event of its charge or its parts. */
export interface EventRecord {
  readonly user: string;
  readonly id: string;
  readonly event: string;
}

export interface ItemRecord {
  readonly saleId: string;
  readonly sku: string;
  readonly limitPerUser: number;
  /** The first one. */
  readonly priceMinor: number;
  readonly initial: number;
  readonly restocked: number;
  readonly corrected: number;
  /** Units of a correction that has no end yet. */
  readonly correcting: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
  /** Its sale is retired: Redis no longer has it. */
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

export interface ItemTerms {
  readonly sku: string;
  readonly priceMinor: number;
  readonly limitPerUser: number;
}

/** An operator's change, as requested. */
export interface OperationRecord {
  readonly operation: {
    readonly kind: string;
    readonly saleId?: string;
    readonly sku?: string;
    readonly units?: number;
    readonly atMs?: number;
    readonly closesAtMs?: number;
    readonly priceMinor?: number;
    readonly fromMs?: number;
    readonly limitPerUser?: number;
    /** How a correction ended. */
    readonly outcome?: string;
    readonly ref?: string;
    readonly item?: ItemTerms;
    readonly sale?: {
      readonly id: string;
      readonly opensAtMs: number;
      readonly closesAtMs: number;
      readonly items?: readonly ItemTerms[];
    };
  };
  readonly atMs: number;
  /** When Redis was known to have it, Unix ms; 0: unknown. */
  readonly appliedMs: number;
}

/** Two successive entries of a shard between which Redis may have lost decisions. */
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
  /** 0: the letter names none. */
  readonly generation: number;
  readonly subject: string;
}
