// What the rest of Sluice can ask of the ledger about webhooks. Operators register endpoints;
// senders deliver to them, each under a lease.
import type { FeedEvent, FeedType } from "../core/domain/feed-event.ts";
import type { FeedPosition } from "../core/domain/feed-position.ts";
import type { WebhookEndpoint } from "../core/domain/webhook-endpoint.ts";

/** A delivery that ended: `failed` ones are tried again, `given_up` ones are not. */
export type DeliveryOutcome = "delivered" | "failed" | "given_up";

export interface Delivery {
  readonly eventId: string;
  readonly type: string;
  readonly subject: string;
  /** The event's place in the journal, from which it can be sent again. */
  readonly shard: number;
  readonly n: number;
  readonly outcome: DeliveryOutcome;
  /** The receiver's status; 0: it did not answer. */
  readonly status: number;
  readonly error: string;
  /** Which try this was, from 1. */
  readonly tries: number;
  readonly tookMs: number;
  readonly atMs: number;
}

/** An event that waits for another try, or behind one of its order that does. */
export interface HeldEvent {
  /** Increases; an order's events wait in this order. */
  readonly seq: number;
  readonly event: FeedEvent;
  readonly tries: number;
  /** Unix ms. */
  readonly dueMs: number;
  /** When it was first tried; 0: not yet. */
  readonly sinceMs: number;
  /** An operator asked for it: it waits for no other event, and none waits for it. */
  readonly manual: boolean;
}

export type NewHeldEvent = Omit<HeldEvent, "seq">;

/** An endpoint under this sender's lease. */
export interface EndpointLease {
  readonly endpoint: string;
  /** Fences the position: a sender whose lease was taken can no longer write. */
  readonly epoch: number;
  readonly url: string;
  readonly secret: string;
  readonly types: readonly FeedType[];
  readonly position: FeedPosition;
  readonly failingSinceMs: number;
}

/** What one round of deliveries changed, written at once. */
export interface Progress {
  readonly position: FeedPosition;
  readonly add: readonly NewHeldEvent[];
  readonly retry: readonly Pick<HeldEvent, "seq" | "tries" | "dueMs" | "sinceMs">[];
  readonly drop: readonly number[];
  readonly log: readonly Delivery[];
  readonly failingSinceMs: number;
  readonly lastError: string;
  /** 0: no success in this round. */
  readonly succeededMs: number;
  /** Why the endpoint is paused from now on. */
  readonly pause?: string | undefined;
}

export interface Webhooks {
  /** `too_many`: there are MAX_ENDPOINTS. */
  add(of: {
    readonly url: string;
    readonly types: readonly FeedType[];
    readonly secret: string;
    readonly position: FeedPosition;
    readonly by: string;
  }): Promise<WebhookEndpoint | "too_many">;
  /** Oldest first. */
  list(): Promise<WebhookEndpoint[]>;
  /** Each returns false if there is no such endpoint. */
  remove(id: string): Promise<boolean>;
  pause(id: string, by: string, why: string): Promise<boolean>;
  resume(id: string): Promise<boolean>;
  /** Newest first; undefined: no such endpoint. */
  log(id: string, limit: number): Promise<Delivery[] | undefined>;
  /** `no_event`: the delivery log has no such event. `full`: too many events wait already. */
  redeliver(id: string, eventId: string): Promise<"done" | "no_endpoint" | "no_event" | "full">;

  /** The ledger's clock, Unix ms: all times that are kept here are by it. */
  nowMs(): Promise<number>;
  /** Joins the senders for `leaseMs`, renews the leases held, and returns those still held. */
  beat(sender: string, leaseMs: number, held: readonly EndpointLease[]): Promise<EndpointLease[]>;
  /** Takes endpoints without a sender, up to this sender's share. */
  claim(sender: string, leaseMs: number, held: number): Promise<EndpointLease[]>;
  /** How many endpoints this sender should have. */
  share(): Promise<number>;
  /** Gives up leases; `leave` also removes the sender. */
  release(sender: string, held: readonly EndpointLease[], leave: boolean): Promise<void>;
  held(endpoint: string): Promise<HeldEvent[]>;
  /** false: the lease is lost, and nothing was written. */
  advance(lease: EndpointLease, progress: Progress): Promise<boolean>;
}

/** Events of one endpoint that wait; beyond it no further ones are read. */
export const MAX_HELD = 1_000;
/** Deliveries kept for each endpoint. */
export const MAX_LOG = 1_000;
