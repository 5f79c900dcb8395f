// What an operator sees at one moment: the console, `sluice top` and `sluice doctor` show it.
import type { Verdict } from "./finding.ts";
import type { WaitingRate } from "./rate.ts";
import type { DeadCount, RoleReport } from "./report.ts";
import type { Flow, ItemFigures, OrderRates, Revenue } from "./sale-figures.ts";

/** The parts of an overview that are asked for separately. */
export type OverviewPart =
  | "roles"
  | "memory"
  | "sales"
  | "halt"
  | "routes"
  | "webhooks"
  | "rates"
  | "revenue"
  | "dead";

/** A role that stopped reporting without signing off. */
export interface LostRole {
  readonly id: string;
  readonly kind: RoleReport["kind"];
  /** When it was last seen, Unix ms. */
  readonly lastSeenMs: number;
}

/**
 * The units of an item, as Redis last reported them. null: never known since the gateway started.
 */
export interface OverviewItem extends ItemFigures {
  readonly sku: string;
  readonly name: string;
  readonly total: number | null;
  readonly available: number | null;
  readonly releasing: number | null;
  readonly held: number | null;
  readonly sold: number | null;
}

export interface OverviewSale {
  readonly id: string;
  readonly name: string;
  readonly opensAtMs: number;
  readonly closesAtMs: number;
  /** When the items' units were read; null: never. */
  readonly stockAsOfMs: number | null;
  /** Captured minus refunded, by currency; null: unknown, or in part of an earlier release. */
  readonly revenue: readonly Revenue[] | null;
  readonly items: readonly OverviewItem[];
}

/**
 * Everything at one moment: `GET /v1/admin/overview`. What could not be read is the last known
 * value, and `asOf` has its time; `null` was never known.
 */
export interface Overview {
  /** Unix ms on Redis's clock. */
  readonly atMs: number;
  /** When each part was last known, Unix ms; null: never since this gateway started. */
  readonly asOf: Readonly<Record<OverviewPart, number | null>>;
  /** What could not be read this time: `redis`, `ledger`, `broker eu`. */
  readonly unasked: readonly string[];
  readonly verdict: Verdict;
  readonly redis: {
    readonly state: "up" | "away";
    /**
     * It answers and takes no writes: why, in a word of docs/operations.md (`full`). Nobody can
     * report then, so `roles` is as of `asOf.roles` and `unasked` has `redis`. null: it takes them.
     * Absent: a gateway of an earlier release.
     */
    readonly refuses?: string | null;
    readonly usedBytes: number | null;
    /** 0: no limit is known to Redis. */
    readonly maxBytes: number | null;
  };
  readonly ledger: { readonly state: "up" | "away" };
  /** As the ledger has it on record; null: none is. */
  readonly halt: { readonly reason: string; readonly atMs: number } | null;
  readonly shardCount: number;
  /** The present owner of each shard. */
  readonly owners: readonly { readonly shard: number; readonly worker: string }[];
  readonly sales: readonly OverviewSale[];
  /** The latest report of every role that reported in the last seconds. */
  readonly roles: readonly RoleReport[];
  /** Roles that stopped reporting in the last ten minutes and have not come back. */
  readonly lost: readonly LostRole[];
  readonly dead: readonly DeadCount[];
  /** Categories whose paid parts reach no service: those on sale, and those whose parts wait. */
  readonly routing: readonly {
    readonly category: string;
    /** Empty: of a sale that was retired, or closed long ago. */
    readonly saleId: string;
    /** The service of its route; null: it has no route. */
    readonly service: string | null;
    /** Parts in the queues of that service, as last counted; absent: unknown. */
    readonly waiting?: number;
  }[];
  readonly webhooks: {
    readonly endpoints: number;
    /** Paused, or without a success for some minutes. */
    readonly troubled: readonly { readonly id: string; readonly sinceMs: number }[];
  } | null;
  /** Exchange rates in Redis; null: none, or unknown. */
  readonly rates: {
    readonly pairs: number;
    readonly newestAtMs: number;
    /** The pair without a new rate for longest, of those that had one in the last day. */
    readonly oldest?: { readonly pair: string; readonly atMs: number } | undefined;
  } | null;
  /** Exchange rates that jumped and are not used; null: unknown. */
  readonly ratesWaiting: readonly WaitingRate[] | null;
  /** Of all sales: captured minus refunded, by currency; null: unknown. */
  readonly revenue: readonly Revenue[] | null;
  readonly orders: OrderRates;
  readonly flow: Flow;
}
