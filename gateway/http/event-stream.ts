// GET /v1/orders/:id/events: an order's events as server-sent events. Each has an id; a client that
// reconnects with its last one (Last-Event-ID) resumes after it, at any gateway.
import { eventDetail } from "../../core/domain/event-detail.ts";
import { shardOf } from "../../core/domain/shard.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { FollowedEvent } from "../../ledger/contract.ts";
import { rfc3339 } from "../admin/sale-form.ts";
import { type App, type AppParts, principalOf } from "./calls.ts";
import { type EventFeed, type Follower, isFinal } from "./event-feed.ts";
import { problem, Refused } from "./problem.ts";
import { FOR_USER_MEMBERS, ONE_ORDER, whose } from "./read-orders.ts";
import { matching, object, optional, read } from "./shape.ts";

const HEARTBEAT_MS = 15_000;
/** How long a client waits before it reconnects. */
const RETRY_MS = 1_000;
/** The longest time that a timer accepts. A stream without news ends long before. */
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Characters a client may leave unread. */
const MAX_UNREAD = 64 * 1024;

const AFTER_RULE = "the id of an event of this order";
/** An empty one is none: some clients send that. */
const AFTER = matching(/^\d{0,15}$/, AFTER_RULE, "Like Last-Event-ID, if that cannot be set");
export const FOLLOW_QUERY = object({ ...FOR_USER_MEMBERS, after: optional(AFTER) });
const LAST_EVENT_ID = object({ "Last-Event-ID": optional(AFTER) });

export function addEventStream(app: App, parts: AppParts): void {
  const { stores, server, clock } = parts.options;
  const { ledger } = stores;
  const { shards } = server;
  app.get("/v1/orders/:id/events", async (c) => {
    const principal = await principalOf(parts, c.req.header("authorization"));
    parts.reads.allowance.take(principal, "stream");
    const query = read(FOLLOW_QUERY, c.req.query());
    const user = whose(principal, query.user);
    const { id } = read(ONE_ORDER, c.req.param());
    const header = read(LAST_EVENT_ID, { "Last-Event-ID": c.req.header("last-event-id") });
    const after = afterOf(header["Last-Event-ID"] ?? query.after);
    // Checked first: an outcome is pushed only once the ledger has it.
    const accepted = parts.orders.undecided.ahead(shardOf(user, shards), user, id) !== undefined;
    const [known] = await ledger.followed([{ user, id, after }]);
    if (!known && !accepted) throw new Refused(problem("not_known_yet", "id"));
    // Nothing will ever follow: this answer tells an EventSource not to reconnect.
    if (known && isFinal(known.state) && known.events.length === 0)
      return new Response(null, { status: 204 });
    const stream = new EventStream(
      parts.options.runtime,
      parts.reads.feed,
      user,
      id,
      parts.limits.streamIdleMs,
      Math.max(principal.expiresAtMs - clock(), 0),
    );
    if (!parts.reads.feed.add(stream, user, id, after))
      throw new Refused(problem("unavailable", undefined, "too many orders are followed here"));
    stream.begin(known ? undefined : { id, status: "accepted" });
    c.req.raw.signal.addEventListener("abort", () => stream.close());
    const headers = {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    };
    return new Response(stream.readable, { headers });
  });
}

/** A whole number; 0 for the first state. */
const afterOf = (text = ""): number => (text === "" ? -1 : Number(text));

class EventStream implements Follower {
  readonly readable: ReadableStream<Uint8Array>;
  private controller!: ReadableStreamDefaultController<Uint8Array>;
  private readonly encoder = new TextEncoder();
  private readonly heartbeat: Timer;
  private readonly expiry: Timer;
  private newsAtMs: number;
  private closed = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly feed: EventFeed,
    private readonly user: string,
    private readonly id: string,
    private readonly idleMs: number,
    /** Until the token ends, and the stream with it. */
    endsInMs: number,
  ) {
    this.heartbeat = runtime.startInterval(() => this.beat(), HEARTBEAT_MS);
    this.expiry = runtime.startTimer(() => this.close(), Math.min(endsInMs, MAX_TIMER_MS));
    this.newsAtMs = runtime.monotonicMs();
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      this.controller = controller;
    };
    const size = (chunk?: Uint8Array) => chunk?.byteLength ?? 0;
    this.readable = new ReadableStream<Uint8Array>(
      { start, cancel: () => this.close() },
      { highWaterMark: MAX_UNREAD, size },
    );
  }

  begin(accepted: object | undefined): void {
    this.write(
      `retry: ${RETRY_MS}\n\n` +
        (accepted ? `event: accepted\ndata: ${JSON.stringify(accepted)}\n\n` : ""),
    );
  }

  tell(_user: string, id: string, events: readonly FollowedEvent[]): void {
    this.newsAtMs = this.runtime.monotonicMs();
    for (const { seq, atMs, event, detail } of events) {
      const data = { id, event, at: rfc3339(atMs), detail: eventDetail(event, detail) };
      this.write(`id: ${seq}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  }

  ended(): void {
    this.close();
  }

  /** The client asks again, and is answered that the order is not known. */
  unknown(): void {
    this.close();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.runtime.stopTimer(this.heartbeat);
    this.runtime.stopTimer(this.expiry);
    this.feed.remove(this, this.user, this.id);
    try {
      this.controller.close();
    } catch {
      // already closed by the client
    }
  }

  /** Disconnects a client that does not read: it reconnects and resumes after its last event. */
  private write(text: string): void {
    if (this.closed) return;
    if ((this.controller.desiredSize ?? 0) <= 0) this.close();
    else this.controller.enqueue(this.encoder.encode(text));
  }

  private beat(): void {
    if (this.runtime.monotonicMs() - this.newsAtMs > this.idleMs) this.close();
    else this.write(": still there\n\n");
  }
}
