// What the gateway needs from outside, as it needs it: ops wires the real things in, tests may wire
// others.

import type { Push } from "../core/domain/push.ts";
import type { Overview } from "../core/domain/report.ts";
import type { Stock } from "../core/domain/sale.ts";
import type { SpanRecorder } from "../core/metrics/spans.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import type { Ledger, Operation } from "../ledger/contract.ts";
import type { AuthOptions } from "./access/auth.ts";
import type { GatewayLimits } from "./intake/limits.ts";

/**
 * What became of a batch: see broker/publisher.ts. `confirmed`: a queue has it. `nacked`,
 * `returned`: refused. `unsent`: nothing left this process. `unknown`: the confirm is missing, it
 * may be there.
 */
export type PublishOutcome = "confirmed" | "nacked" | "returned" | "unsent" | "unknown";

export interface BrokerPort {
  /**
   * Sends one batch of rows (JSON text) to a shard's queue. Settles within the broker's own
   * time-out; never rejects.
   */
  publish(shard: number, body: Buffer, batch: string): Promise<PublishOutcome>;
  /** A publish would not be sent now: connection away or blocked. */
  blocked(): boolean;
  /** Why, if it is; left out: `blocked` or `up`. */
  state?(): "up" | "blocked" | "away";
  /** Sets who hears of outcomes. */
  onPush(handler: (push: Push) => void): void;
}

/** What is given must match; a filter with nothing in it finds all. */
export interface LetterFilter {
  readonly id?: string;
  readonly queue?: string;
  readonly reason?: string;
  readonly user?: string;
}

/** Dead letters of every region; rejects when a broker cannot be reached. */
export interface LettersPort {
  /** The letters a filter finds among the first `limit` of each queue. */
  list(filter: LetterFilter, limit: number): Promise<readonly object[]>;
  redrive(filter: LetterFilter, limit: number, subject: string): Promise<Dealt>;
  drop(filter: LetterFilter, limit: number, subject: string): Promise<Dealt>;
}

export interface Dealt {
  readonly matched: number;
  readonly done: number;
  readonly left: readonly { readonly id: string; readonly why: string }[];
}

/** How much is taken in. What is left out: the defaults of core/settings/settings.ts. */
export interface AdmissionSettings {
  readonly targetWaitMs?: number;
  readonly stallOrders?: number;
  readonly lateMs?: number;
  /** 0: unbounded. */
  readonly userPerSecond?: number;
  readonly userBurst?: number;
  readonly regionPerSecond?: number;
  readonly soldOutAtGate?: boolean;
}

export interface GatewayOptions {
  readonly runtime: Runtime;
  readonly server: {
    /** Names the queue `gateway.<id>`; no two live gateways share one. */
    readonly id: string;
    readonly region: string;
    readonly host: string;
    /** 0 for any free one. */
    readonly port: number;
    /** Lets several gateway processes share the port (Linux). */
    readonly reusePort?: boolean;
    readonly shards: number;
  };
  readonly access: {
    readonly auth: AuthOptions;
    /**
     * Origins a browser may come from: `https://shop.example`, or `*`. Empty: only the gateway's
     * own.
     */
    readonly origins: readonly string[];
    /** Addresses or CIDR blocks whose X-Forwarded-For is believed. */
    readonly trustedProxies: readonly string[];
    /** What the payment provider signs webhooks with; none are taken without one. */
    readonly webhookSecrets?: readonly string[] | undefined;
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
  /** Whether orders can be taken in now. */
  readonly ready: () => Promise<{
    readonly ok: boolean;
    readonly detail: Readonly<Record<string, unknown>>;
  }>;
  readonly telemetry?: {
    /** Told of orders whose request names a trace; undefined: nobody asks. */
    readonly spans?: SpanRecorder | undefined;
    readonly log?: (event: string, detail: Record<string, unknown>) => void;
  };
}

/** The ledger, and Redis as far as a gateway needs it. */
export interface StoresPort {
  readonly ledger: Pick<
    Ledger,
    | "order"
    | "ordersOf"
    | "events"
    | "bill"
    | "attempt"
    | "followed"
    | "operate"
    | "audit"
    | "catalogueVersion"
    | "sales"
    | "stock"
    | "routes"
  >;
  /** Live stock from Redis; undefined when Redis does not have the sale. */
  readonly stockOf: (saleId: string) => Promise<readonly Stock[] | undefined>;
  /**
   * Puts an operator's change, which the ledger has, to work in Redis or the brokers. Rejects when
   * it cannot now: it is then applied later.
   */
  readonly applyOperation: (operation: Operation) => Promise<void>;
}

/** What only operators ask for; a part that is left out answers 404. */
export interface OperatorPort {
  readonly letters?: LettersPort | undefined;
  /** Everything an operator sees in one look. */
  readonly overview?: (() => Promise<Overview>) | undefined;
  /** Pauses and resumes workers (`*`: all); answers with those that were found. */
  readonly workers?:
    | {
        pause(worker: string, by: string): Promise<string[]>;
        resume(worker: string, by: string): Promise<string[]>;
      }
    | undefined;
}
