// What the gateway needs from outside, in its own terms: cli/roles passes in the real parts, tests
// may pass in others.

import type { Overview } from "../core/domain/overview.ts";
import type { Part } from "../core/domain/part.ts";
import type { Push } from "../core/domain/push.ts";
import type { Rate, WaitingRate } from "../core/domain/rate.ts";
import type { PartClaimsReport, Publishing } from "../core/domain/report.ts";
import type { Units } from "../core/domain/sale.ts";
import type { SpanRecorder } from "../core/metrics/spans.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import type {
  Fate,
  Ledger,
  LedgerWriter,
  Operation,
  PartId,
  RateOperation,
} from "../ledger/contract.ts";
import type { AuthOptions } from "./access/auth.ts";
import type { AdminAddress } from "./http/admin-server.ts";
import type { GatewayLimits } from "./intake/limits.ts";

/**
 * The result of a publish, see broker/publisher.ts. `confirmed`: a queue has it. `nacked`,
 * `returned`: refused. `unsent`: nothing left this process. `unknown`: no confirm arrived, a queue
 * may have it.
 */
export type PublishOutcome = "confirmed" | "nacked" | "returned" | "unsent" | "unknown";

export interface BrokerPort {
  /**
   * Sends one batch of rows (JSON text) to a shard's queue. Settles within the broker's timeout;
   * never rejects. `placed` learns which regions may hold it, if it is not the home region alone.
   */
  publish(
    shard: number,
    body: Buffer,
    batch: string,
    placed: { region?: string | undefined },
  ): Promise<PublishOutcome>;
  /** Whether a publish would not be sent now: disconnected or blocked. */
  blocked(): boolean;
  /** The reason for blocked(); absent: `blocked` or `up`. */
  state?(): "up" | "blocked" | "away";
  /** Where orders go, and each region's state, home first. */
  regions?(): Publishing;
  /** Sets the handler of outcomes. */
  onPush(handler: (push: Push) => void): void;
}

/** Every given member must match; an empty filter matches all. */
export interface LetterFilter {
  readonly id?: string;
  /** One of these. */
  readonly ids?: readonly string[];
  readonly queue?: string;
  readonly reason?: string;
  readonly user?: string;
}

/** Dead letters of every region whose broker answers; rejects if none does. */
export interface LettersPort {
  /** The letters a filter matches among the first `limit` of each queue. */
  list(filter: LetterFilter, limit: number): Promise<Listed>;
  redrive(filter: LetterFilter, limit: number, subject: string): Promise<Dealt>;
  drop(filter: LetterFilter, limit: number, subject: string): Promise<Dealt>;
}

export interface Listed {
  readonly letters: readonly object[];
  /** Regions whose broker did not answer. */
  readonly unasked?: readonly string[];
  /** What waits for a route besides them. */
  readonly waiting?: readonly { readonly region: string; readonly messages: number }[];
}

export interface Dealt {
  readonly matched: number;
  readonly done: number;
  readonly left: readonly { readonly id: string; readonly why: string }[];
  /** Regions whose broker did not answer. */
  readonly unasked?: readonly string[];
}

/** How much is accepted. Defaults: core/settings/settings.ts. */
export interface AdmissionSettings {
  readonly targetWaitMs?: number;
  readonly stallOrders?: number;
  readonly lateMs?: number;
  /** 0: no limit. */
  readonly userPerSecond?: number;
  readonly userBurst?: number;
  readonly regionPerSecond?: number;
  readonly soldOutAtGate?: boolean;
}

/** An issuer of OpenID Connect, and the console's registration there. */
export interface ConsoleOidc {
  /** As its tokens name it; its endpoints must have the same origin. */
  readonly issuer: string;
  readonly clientId: string;
  /** Words, separated by spaces. */
  readonly scope: string;
}

export interface GatewayOptions {
  readonly runtime: Runtime;
  readonly server: {
    /** Names the queue `gateway.<id>`; no two running gateways share one. */
    readonly id: string;
    readonly region: string;
    readonly host: string;
    /** 0: any free port. */
    readonly port: number;
    /** Lets several gateway processes share the port (Linux). */
    readonly reusePort?: boolean;
    /** A connection without traffic is closed after this, s; Bun knows at most 255. */
    readonly idleTimeoutS?: number;
    readonly shards: number;
    /** Where metrics and health are served besides; absent: metrics are on the port above. */
    readonly metrics?: AdminAddress | undefined;
  };
  readonly access: {
    readonly auth: AuthOptions;
    /** Allowed browser origins: `https://shop.example`, or `*`. Empty: only the gateway's own. */
    readonly origins: readonly string[];
    /** Addresses or CIDR blocks whose X-Forwarded-For is trusted. */
    readonly trustedProxies: readonly string[];
    /** The payment provider's signing secrets; without one, webhooks are refused. */
    readonly webhookSecrets?: readonly string[] | undefined;
    /** Where operators sign in to the console; absent: by a token alone. */
    readonly consoleOidc?: ConsoleOidc | undefined;
    /** Grafana's address, without a trailing slash; absent: the console has no links to it. */
    readonly grafana?: string | undefined;
    /** Whether endpoints of outgoing webhooks may have private addresses, and use http. */
    readonly webhookPrivate?: boolean | undefined;
    /** Whether /shop is served, and its visitors get tokens. Needs a secret as the auth's key. */
    readonly shop?: boolean | undefined;
  };
  readonly bounds?: {
    readonly limits?: Partial<GatewayLimits> | undefined;
    readonly admission?: AdmissionSettings | undefined;
  };
  /** Unix ms on the clock that decisions use (core/stores/clock.ts). */
  readonly clock: () => number;
  readonly broker: BrokerPort;
  readonly stores: StoresPort;
  readonly operator?: OperatorPort;
  /** Parts for services that call over HTTP; absent: those calls are answered 404. */
  readonly parts?: PartsPort | undefined;
  /** Whether orders can be accepted now. */
  readonly ready: () => Promise<{
    readonly ok: boolean;
    readonly detail: Readonly<Record<string, unknown>>;
  }>;
  readonly telemetry?: {
    /** Records orders whose request names a trace; undefined: no tracing. */
    readonly spans?: SpanRecorder | undefined;
    readonly log?: (event: string, detail: Record<string, unknown>) => void;
  };
}

export interface KnownRate {
  readonly pair: string;
  /** Decimal text. */
  readonly value: string;
  /** From when it is, and until when orders are decided by it, Unix ms. */
  readonly atMs: number;
  readonly untilMs: number;
}

/** The ledger, and what a gateway needs of Redis. */
export interface StoresPort {
  readonly ledger: Pick<
    Ledger,
    | "order"
    | "orderPage"
    | "events"
    | "bill"
    | "bills"
    | "attempt"
    | "followed"
    | "feed"
    | "feedAt"
    | "webhooks"
    | "operate"
    | "audit"
    | "auditBegin"
    | "auditEnd"
    | "auditLog"
    | "correction"
    | "catalogueVersion"
    | "saleVersions"
    | "sales"
    | "stock"
    | "routes"
    | "ordersWithId"
    | "ordersOfAll"
    | "orderStory"
    | "timeline"
    | "history"
  >;
  /** Gives idempotency keys their orders' ids. Rejects if the ledger cannot be written. */
  readonly claimKeys: LedgerWriter["claimKeys"];
  /** Live units from Redis; undefined when Redis does not have the sale. */
  readonly stockOf: (
    saleId: string,
    skus: readonly string[],
  ) => Promise<readonly Units[] | undefined>;
  /** Exchange rates in Redis. Rejects if it is away. */
  readonly rates: () => Promise<readonly KnownRate[]>;
  /**
   * Applies an operator's change, already in the ledger, to Redis or the brokers. Rejects if that
   * is impossible now; it is then applied later.
   */
  readonly applyOperation: (operation: Operation) => Promise<void>;
}

/** A verdict on a rate that jumped: done, or why not (cli/operator/rates-by-hand.ts). */
export interface RatesPort {
  list(): Promise<{
    readonly rates: readonly Rate[];
    readonly waiting: readonly WaitingRate[];
  }>;
  settle(
    verdict: Omit<RateOperation, "kind">,
    subject: string,
  ): Promise<
    | { readonly result: "done" | "repeated"; readonly applied: boolean }
    | { readonly result: "ref_conflict" }
    | { readonly result: "not_waiting"; readonly now?: string }
  >;
}

/** What only operators use; calls to an absent part are answered 404. */
export interface OperatorPort {
  readonly letters?: LettersPort | undefined;
  /** The whole system at a glance. */
  readonly overview?: (() => Promise<Overview>) | undefined;
  /** Fulfilment services that run or ever had a route; absent: any name is taken. */
  readonly services?: (() => Promise<readonly string[]>) | undefined;
  /** The exchange rates, and verdicts on those that jumped. */
  readonly ratesByHand?: RatesPort | undefined;
  /** Pauses and resumes workers (`*`: all); returns those found. */
  readonly workers?:
    | {
        pause(worker: string, by: string): Promise<string[]>;
        resume(worker: string, by: string): Promise<string[]>;
      }
    | undefined;
}

export interface PartClaim {
  readonly service: string;
  readonly claim: string;
  readonly most: number;
  readonly waitMs: number;
  readonly leaseMs: number;
}

/**
 * `none`: no part came in time. `ended`: the lease of this claim is over. `busy`: too many callers
 * wait. `unavailable`: no broker, or no shard, can be asked now; the claim may be sent again.
 */
export type ClaimAnswer =
  | { readonly kind: "claimed"; readonly untilMs: number; readonly parts: readonly Part[] }
  | { readonly kind: "none" }
  | { readonly kind: "ended" | "too_many" | "busy" | "unavailable" };

export interface PartReport {
  readonly service: string;
  readonly claim: string;
  readonly of: PartId;
  readonly outcome: "done" | "failed" | "later";
  readonly reason: string;
}

/** `other`: the part has another end already. `unconfirmed`: the report may have arrived. */
export type ReportAnswer =
  | { readonly kind: "reported" }
  | { readonly kind: "ended" | "unknown" | "unconfirmed" }
  | { readonly kind: "other"; readonly fate: Fate };

export interface PartsPort {
  claim(claim: PartClaim, gone: AbortSignal): Promise<ClaimAnswer>;
  report(report: PartReport): Promise<ReportAnswer>;
  /** Ends the waits. */
  quiet(): void;
  counts(): PartClaimsReport;
}
