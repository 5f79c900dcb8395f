// Orders over a WebSocket. A socket that ends is followed by another, at the next gateway: orders
// without an answer are sent again, and followed orders continue behind their last event.
import type { EventSource, Following, OrderEvent } from "./event-stream.ts";
import { FOLLOW_DEADLINE_MS } from "./event-stream.ts";
import { type Gateways, orAbort } from "./gateways.ts";
import { LiveSocket, type WebSocketClass } from "./live-socket.ts";
import { type Draft, type NewOrder, Order, type OrderLinks } from "./order.ts";
import { type Carrier, type PlaceOptions, place } from "./placing.ts";
import { onAbort, sleep, startTimer, stopTimer, type Timer } from "./platform.ts";
import { type Problem, Refused, Unfinished } from "./problem.ts";
import type { ServerClock } from "./server-clock.ts";
import { Deadline, type Waiting, waitOf, within } from "./settle.ts";
import { type News, Watch, Watches } from "./watches.ts";

export interface LiveOptions extends Waiting {
  /** For platforms without WebSocket, such as Node before 22: the class of the package `ws`. */
  readonly WebSocket?: WebSocketClass;
  readonly attemptMs?: number;
}

export interface LiveLinks extends LiveOptions {
  readonly gateways: Gateways;
  readonly clock: ServerClock;
  readonly deadlineMs: number;
}

/** Item → units that can be ordered. */
export type Stock = ReadonlyMap<string, number>;

const ATTEMPT_MS = 5_000;
/** A token is renewed this long before it ends. */
const RENEW_BEFORE_MS = 30_000;

export class Live implements EventSource {
  private socket: LiveSocket | undefined;
  private readonly waiters = new Set<() => void>();
  private readonly watches = new Watches((frame) => this.socket?.send(frame));
  private readonly stocks = new Map<string, { units: Map<string, number>; tell: Set<Told> }>();
  private readonly ends = new AbortController();
  private renewal: Timer | undefined;
  private failures = 0;
  private refusal: Problem | undefined;

  private constructor(
    private readonly links: LiveLinks,
    private readonly WebSocket: WebSocketClass,
  ) {}

  /** Resolves when a gateway has accepted the token. */
  static async open(links: LiveLinks): Promise<Live> {
    const live = new Live(links, webSocketClass(links.WebSocket));
    const { deadlineMs, signal } = links;
    live.connect();
    try {
      await within(deadlineMs, signal, (ends) => live.connected(ends));
      if (!live.socket) throw live.gone("WebSocket");
      return live;
    } catch (error) {
      live.close();
      throw error;
    }
  }

  /** As Sluice.place: exactly once, also if the socket or its gateway ends meanwhile. */
  async place(order: NewOrder | Draft, options: PlaceOptions = {}): Promise<Order> {
    const { gateways, clock, deadlineMs } = this.links;
    const placing = { gateways, clock, deadlineMs, carrier: this.carrier };
    const { draft, status, accepted } = await place(placing, order, options);
    return new Order(this.orderLinks, draft.id, draft.user, draft.seq, status, accepted);
  }

  /** An order placed earlier; its events come over this socket. */
  order(id: string, user?: string): Order {
    return new Order(this.orderLinks, id, user, undefined, "accepted");
  }

  private get orderLinks(): OrderLinks {
    const { gateways, deadlineMs } = this.links;
    return { gateways, source: this, deadlineMs };
  }

  async *events(
    id: string,
    user: string | undefined,
    options: Following,
  ): AsyncGenerator<OrderEvent> {
    for await (const { n, event, at } of this.follow(id, user, options, false))
      if (n !== undefined && at !== undefined) yield { n, event, at };
  }

  /** Events, and outcomes that the gateway pushes. */
  news(id: string, user: string | undefined, options: Following): AsyncIterable<News> {
    return this.follow(id, user, options, true);
  }

  /**
   * Calls `tell` with the units of a sale's items, at first and with each change. Returns a
   * function that ends it.
   */
  watchStock(saleId: string, tell: Told): () => void {
    const stock = this.stocks.get(saleId) ?? { units: new Map(), tell: new Set<Told>() };
    const first = stock.tell.size === 0;
    this.stocks.set(saleId, stock);
    stock.tell.add(tell);
    if (first) this.socket?.send({ type: "subscribe", saleId });
    else if (stock.units.size > 0) tell(stock.units);
    return () => {
      stock.tell.delete(tell);
      if (stock.tell.size > 0 || !this.stocks.delete(saleId)) return;
      this.socket?.send({ type: "unsubscribe", saleId });
    };
  }

  close(): void {
    this.ends.abort();
    stopTimer(this.renewal);
    this.socket?.close();
    this.wake();
  }

  private readonly carrier: Carrier = async (draft, signal) => {
    await this.connected(signal);
    if (this.refusal) return { kind: "refused", problem: this.refusal };
    if (this.ends.signal.aborted) throw this.gone(`order ${draft.id}`, draft.id);
    if (this.socket) return this.socket.place(draft, signal);
    return { kind: "later", problem: { code: "unavailable", status: 503, title: "Not connected" } };
  };

  private async *follow(
    id: string,
    user: string | undefined,
    options: Following,
    loose: boolean,
  ): AsyncGenerator<News> {
    const until = new Deadline({ deadlineMs: FOLLOW_DEADLINE_MS, ...options });
    const closed = () => until.stop("closed");
    const forget = onAbort(this.ends.signal, closed);
    if (this.ends.signal.aborted) closed();
    try {
      const watch = new Watch(id, user, options.after ?? -1, loose);
      yield* this.watches.news(watch, until.signal);
      if (until.reason)
        throw new Unfinished(`events of order ${id}`, until.reason, "unknown", undefined, id);
    } finally {
      forget();
      until.end();
    }
  }

  /** Resolves when there is a socket that knows the user, or when waiting is over. */
  private async connected(signal: AbortSignal): Promise<void> {
    while (!this.socket && !signal.aborted && !this.ends.signal.aborted)
      await new Promise<void>((resolve) => {
        const end = () => {
          forget();
          this.waiters.delete(end);
          resolve();
        };
        this.waiters.add(end);
        const forget = onAbort(signal, end);
      });
  }

  /** Tries until it is closed, or its token is refused for good. */
  private connect(): void {
    void this.tryOnce().catch(() => this.retry());
  }

  private async tryOnce(): Promise<void> {
    const { gateways, attemptMs = ATTEMPT_MS } = this.links;
    const { url } = gateways;
    const { WebSocket } = this;
    const token = await within(attemptMs, this.ends.signal, (ends) =>
      orAbort(gateways.bearer(), ends),
    );
    if (this.ends.signal.aborted) return;
    const socket: LiveSocket = new LiveSocket(
      {
        ...{ WebSocket, url, token, attemptMs },
        frame: (frame) => this.receive(frame),
        closed: (problem) => this.lost(socket, url, problem),
      },
      () => this.began(socket, token),
    );
  }

  private began(socket: LiveSocket, token: string): void {
    if (this.ends.signal.aborted) {
      socket.close();
      return;
    }
    this.failures = 0;
    this.refusal = undefined;
    this.socket = socket;
    this.renewLater(token);
    this.watches.again();
    for (const [saleId, { units }] of this.stocks) {
      units.clear();
      socket.send({ type: "subscribe", saleId });
    }
    this.wake();
  }

  private lost(socket: LiveSocket, url: string, problem: Problem | undefined): void {
    if (this.socket === socket) this.socket = undefined;
    stopTimer(this.renewal);
    if (this.ends.signal.aborted) return;
    if (problem === undefined) {
      this.links.gateways.failed(url);
      this.retry();
      return;
    }
    // If the next token was refused as well, or there is only one, it ends.
    const hopeless = this.refusal !== undefined || !this.links.gateways.renewToken();
    this.refusal = problem;
    if (hopeless) this.close();
    else this.retry();
  }

  private retry(): void {
    void sleep(waitOf(this.failures++), this.ends.signal).then(() => {
      if (!this.ends.signal.aborted) this.connect();
    });
  }

  private receive(frame: Readonly<Record<string, unknown>>): void {
    const { type, outcomes, events, id } = frame;
    if (type === "outcomes" && Array.isArray(outcomes)) {
      for (const [order, state, mark] of outcomes)
        if (mark !== "not_cancelled") this.watches.outcome(order, state);
    } else if (type === "events" && Array.isArray(events))
      for (const [order, n, event, at] of events) this.watches.event(order, { n, event, at });
    else if (type === "stock") this.restock(frame);
    else if (type === "lagging") this.watches.again();
    else if (type === "error" && typeof id === "string") this.watches.unknown(id);
  }

  private restock({ saleId, items }: Readonly<Record<string, unknown>>): void {
    const stock = this.stocks.get(String(saleId));
    if (!stock || !Array.isArray(items)) return;
    for (const [sku, available] of items) stock.units.set(sku, available);
    for (const tell of stock.tell) tell(stock.units);
  }

  private renewLater(token: string): void {
    const atMs = expiryMs(token);
    if (atMs === undefined) return;
    const inMs = atMs - this.links.clock.now() - RENEW_BEFORE_MS;
    this.renewal = startTimer(() => void this.renew().catch(() => undefined), inMs);
  }

  /** If it fails, the socket ends with its token and another one begins. */
  private async renew(): Promise<void> {
    const { gateways } = this.links;
    if (!gateways.renewToken()) return;
    const token = await within(ATTEMPT_MS, this.ends.signal, (ends) =>
      orAbort(gateways.bearer(), ends),
    );
    this.socket?.send({ type: "auth", token });
    const atMs = expiryMs(token) ?? 0;
    if (atMs - this.links.clock.now() > 2 * RENEW_BEFORE_MS) this.renewLater(token);
  }

  private gone(what: string, orderId?: string): Error {
    if (this.refusal) return new Refused(this.refusal);
    const reason = this.ends.signal.aborted ? "closed" : "deadline";
    return new Unfinished(what, reason, "none", undefined, orderId);
  }

  private wake(): void {
    for (const waiter of [...this.waiters]) waiter();
  }
}

export type Told = (stock: Stock) => void;

function webSocketClass(given: WebSocketClass | undefined): WebSocketClass {
  const found = given ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket;
  if (!found)
    throw new TypeError("no WebSocket on this platform: pass the class of the package ws");
  return found;
}

/** When a JWT ends, in Unix ms; undefined for any other token. */
function expiryMs(token: string): number | undefined {
  try {
    const part = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const { exp } = JSON.parse(atob(part)) as { exp?: unknown };
    return typeof exp === "number" ? exp * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
