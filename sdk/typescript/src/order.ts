// An order that was placed, and what can be asked of it.
import type { EventSource, Following, OrderEvent } from "./event-stream.ts";
import { type Call, type Gateways, isObject, type Reply } from "./gateways.ts";
import { type Estimate, Unfinished } from "./problem.ts";
import { settle, type Waiting } from "./settle.ts";
import { type FinishedState, isDecided, isFinished, type OrderState } from "./states.ts";

export interface Line {
  readonly sku: string;
  readonly qty: number;
}

/** The body of POST /v1/orders, without its id. */
export interface NewOrder {
  readonly saleId: string;
  readonly currency: string;
  readonly lines: readonly Line[];
  /** The user's number in the sale: see `sequence()`. */
  readonly seq?: number;
  /** Services only: the buyer. */
  readonly user?: string;
  readonly payment?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** The most it may cost, in minor units. */
  readonly maxTotal?: number;
}

/** An order with its id: plain data to store, and to place again after a crash. */
export interface Draft extends NewOrder {
  readonly id: string;
}

/** What the broker's confirm said. */
export interface Accepted {
  readonly estimate?: Estimate;
  /** Set if a region other than the gateway's may hold the order. */
  readonly region?: string;
}

export interface Outcome<S extends OrderState = OrderState> {
  readonly status: S;
  /** RFC 3339; absent for an order that the gateway refused as sold out. */
  readonly at?: string | undefined;
  readonly n?: number | undefined;
}

export type Decided = Exclude<OrderState, "accepted" | "parked">;

export type Cancelled =
  | { readonly status: "cancelled" }
  /** The order will be cancelled when it arrives. */
  | { readonly status: "cancel_pending" }
  | { readonly status: "too_late"; readonly why: string };

export interface OrderDetails extends Draft {
  readonly status: OrderState;
  readonly waitsFor?: string;
  readonly estimate?: Estimate;
  readonly acceptedAt?: string;
  readonly decidedAt?: string;
  readonly events?: readonly { readonly at: string; readonly event: string }[];
  readonly [more: string]: unknown;
}

export interface OrderLinks {
  readonly gateways: Gateways;
  readonly source: EventSource;
  readonly deadlineMs: number;
}

const OUTCOME_DEADLINE_MS = 60_000;

export class Order {
  constructor(
    private readonly links: OrderLinks,
    readonly id: string,
    /** Services only: whose order it is. */
    readonly user: string | undefined,
    readonly seq: number | undefined,
    /** `sold_out`: the gateway did not accept it. */
    readonly status: "accepted" | "sold_out",
    readonly accepted: Accepted = {},
  ) {}

  /** What happens to the order: each event once, in order, also across reconnects. */
  events(options: Following = {}): AsyncIterable<OrderEvent> {
    if (this.status === "sold_out") return none();
    return this.links.source.events(this.id, this.user, options);
  }

  /** The decision: `reserved`, `sold_out` … Waits at most `deadlineMs`, a minute by default. */
  outcome(options: Following = {}): Promise<Outcome<Decided>> {
    return this.first(options, isDecided);
  }

  /** The end: `dispatched`, `payment_failed` … */
  finished(options: Following = {}): Promise<Outcome<FinishedState>> {
    return this.first(options, isFinished);
  }

  /** The order as the ledger has it now. */
  get(options: Waiting = {}): Promise<OrderDetails> {
    return settle({
      deadlineMs: this.links.deadlineMs,
      ...options,
      what: `order ${this.id}`,
      orderId: this.id,
      attempt: (signal) =>
        this.links.gateways.attempt(readOf(this.id, this.user), signal, detailsOf),
    });
  }

  /** Safe to repeat. An order can be cancelled for two minutes. */
  cancel(options: Waiting = {}): Promise<Cancelled> {
    return settle<Cancelled>({
      deadlineMs: this.links.deadlineMs,
      ...options,
      what: `cancel of order ${this.id}`,
      orderId: this.id,
      attempt: async (signal) => {
        const call: Call = { method: "DELETE", path: pathOf(this.id), query: { user: this.user } };
        const answer = await this.links.gateways.attempt(call, signal, cancelledOf);
        if (answer.kind !== "refused" || answer.problem.code !== "too_late") return answer;
        const why = answer.problem.detail ?? answer.problem.title;
        return { kind: "done", value: { status: "too_late", why } };
      },
    });
  }

  private async first<S extends OrderState>(
    options: Following,
    is: (word: string) => word is S,
  ): Promise<Outcome<S>> {
    if (this.status === "sold_out") return { status: this.status as S };
    const following = { deadlineMs: OUTCOME_DEADLINE_MS, ...options };
    const { source } = this.links;
    const news = (source.news ?? source.events).call(source, this.id, this.user, following);
    for await (const { event, at, n } of news) if (is(event)) return { status: event, at, n };
    const what = `order ${this.id}: no such state behind event ${options.after ?? -1}`;
    throw new Unfinished(what, "closed", "unknown", undefined, this.id);
  }
}

export const pathOf = (id: string): string => `/v1/orders/${id}`;

export function readOf(id: string, user: string | undefined): Call {
  return { method: "GET", path: pathOf(id), query: { user } };
}

export function detailsOf({ body }: Reply): OrderDetails | undefined {
  return isObject(body) && typeof body.id === "string" && typeof body.status === "string"
    ? (body as unknown as OrderDetails)
    : undefined;
}

function cancelledOf({ body }: Reply): Cancelled | undefined {
  const status = isObject(body) ? body.status : undefined;
  return status === "cancelled" || status === "cancel_pending" ? { status } : undefined;
}

async function* none(): AsyncGenerator<OrderEvent> {}
