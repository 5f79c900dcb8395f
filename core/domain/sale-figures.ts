// The figures of a sale and of the steps that orders pass, as an overview has them. null stands for
// unknown, never for zero.

/** Money by currency. */
export interface Revenue {
  readonly currency: string;
  /** Minor units. */
  readonly amount: number;
}

export interface ItemFigures {
  /** Units taken from stock each second, measured over the last minute or less. */
  readonly unitsPerS: number | null;
  /**
   * When the item will be sold out at this rate, Unix ms; a time that has passed: since then it is.
   * null: nothing or too little sells, or the rate is unknown, or the sale closes before.
   */
  readonly soldOutAtMs: number | null;
}

/** Orders per second between two overviews. */
export interface OrderRates {
  /** Over this time, ms; null: there is no earlier overview, so nothing below is known. */
  readonly overMs: number | null;
  readonly accepted: number | null;
  readonly decided: number | null;
  /** Decided ones by outcome (`reserved`, `sold_out`, …), without those that are zero. */
  readonly byOutcome: Readonly<Record<string, number>>;
  /** Orders that came too late: decided so, or answered so by the gateway. Normal in a sale. */
  readonly soldOut: number | null;
  /** Every other outcome than `reserved` and `sold_out`: a limit, a bad order. */
  readonly rejected: number | null;
  /** Requests refused before they were accepted, by problem code, without those that are zero. */
  readonly refused: Readonly<Record<string, number>>;
  /**
   * Of `refused`: answered 503, because too much waits (`shed`) or a broker or store is away
   * (`unavailable`, `unconfirmed`). Trouble if it lasts.
   */
  readonly shed: number | null;
}

export const STEPS = ["gateway", "queue", "decider", "ledger", "payments", "services"] as const;
export type Step = (typeof STEPS)[number];

/** The steps that orders pass, in their sequence. */
export interface Flow {
  readonly steps: readonly {
    readonly step: Step;
    /** What passed it each second; null: unknown. */
    readonly perS: number | null;
    /** How long an order waits there, ms: the slower ones (p99), or the oldest; null: unknown. */
    readonly waitMs: number | null;
    /** How many wait there now; null: unknown. */
    readonly waiting: number | null;
  }[];
  /** The step that holds up the others; null: none does, or it is unknown. */
  readonly bottleneck: Step | null;
}
