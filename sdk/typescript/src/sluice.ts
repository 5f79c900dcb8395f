// The client: places orders exactly once, over HTTP or a WebSocket.
import { HttpEvents } from "./event-stream.ts";
import { type Call, Gateways, type Reply, type Token } from "./gateways.ts";
import { uuidV7 } from "./ids.ts";
import { Live, type LiveOptions } from "./live.ts";
import { type Draft, type NewOrder, Order, type OrderLinks } from "./order.ts";
import { byHttp, type PlaceOptions, place } from "./placing.ts";
import {
  type OrderPage,
  type OrderQuery,
  ordersOf,
  publicRead,
  type Rates,
  ratesOf,
  type Sale,
  type SalePage,
  type SaleQuery,
  type StockItem,
  saleOf,
  salePath,
  salesOf,
  stockOf,
  texts,
} from "./reads.ts";
import { Sequence, type SequenceOptions, type Skip } from "./sequence.ts";
import { ServerClock } from "./server-clock.ts";
import { DEADLINE_MS, settle, type Waiting, within } from "./settle.ts";

export interface SluiceOptions {
  /** Gateways, nearest first; the next is used when one does not answer. */
  readonly gateways: readonly string[] | string;
  readonly token: Token;
  /** How long a call may take in all, retries included: 30 s. */
  readonly deadlineMs?: number;
  /** How long one attempt may take: 5 s. */
  readonly attemptMs?: number;
  readonly fetch?: typeof fetch;
  /** This machine's clock, Unix ms. It may be wrong. */
  readonly now?: () => number;
}

const ATTEMPT_MS = 5_000;
const CLOCK_MS = 3_000;

export class Sluice {
  private readonly clock: ServerClock;
  private readonly deadlineMs: number;
  /** Calls to the gateways, for parts and other additions. */
  readonly gateways: Gateways;
  private readonly links: OrderLinks;

  constructor(options: SluiceOptions) {
    const { deadlineMs = DEADLINE_MS, attemptMs = ATTEMPT_MS } = options;
    const fetching = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.deadlineMs = deadlineMs;
    this.clock = new ServerClock(options.now);
    this.gateways = new Gateways({ ...options, attemptMs, fetch: fetching, clock: this.clock });
    this.links = { gateways: this.gateways, source: new HttpEvents(this.gateways), deadlineMs };
  }

  /**
   * Places an order exactly once: resolves when it is durable, or sold out already. Throws Refused
   * if it is wrong, and Unfinished with its effect if time is up.
   */
  async place(order: NewOrder | Draft, options: PlaceOptions = {}): Promise<Order> {
    const { gateways, clock, deadlineMs } = this;
    const placing = { gateways, clock, deadlineMs, carrier: byHttp(gateways) };
    const { draft, status, accepted } = await place(placing, order, options);
    return new Order(this.links, draft.id, draft.user, draft.seq, status, accepted);
  }

  /**
   * Gives an order its id, as data to store. Placing the stored draft again after a crash, within
   * ten minutes, makes no second order: `place(draft, { again: true })`.
   */
  async draft(order: NewOrder, waiting: Waiting = {}): Promise<Draft> {
    if (!this.clock.known) await this.askTime(waiting);
    return { ...order, id: uuidV7(this.clock.now()) };
  }

  /** An order placed earlier. */
  order(id: string, user?: string): Order {
    return new Order(this.links, id, user, undefined, "accepted");
  }

  /** Numbered orders, decided in the order of their numbers. */
  sequence(saleId: string, options: SequenceOptions = {}): Sequence {
    const numbering = {
      draft: (order: NewOrder, waiting?: Waiting) => this.draft(order, waiting),
      place: (draft: Draft, options?: PlaceOptions) => this.place(draft, options),
      skip: (skip: Skip, waiting?: Waiting) => this.skip(skip, waiting),
    };
    return new Sequence(numbering, saleId, options);
  }

  /** Gives up a number. Safe to repeat. */
  async skip(skip: Skip, waiting: Waiting = {}): Promise<void> {
    await settle({
      deadlineMs: this.deadlineMs,
      ...waiting,
      what: `skip of number ${skip.seq}`,
      attempt: (signal) =>
        this.gateways.attempt(
          { method: "POST", path: "/v1/orders/skip", body: skip },
          signal,
          () => true,
        ),
    });
  }

  /** Sales, the latest opening first. The next page begins at `before`. */
  sales(query: SaleQuery = {}, waiting?: Waiting): Promise<SalePage> {
    return this.read("sales", publicRead("/v1/sales", query), salesOf, waiting);
  }

  sale(saleId: string, waiting?: Waiting): Promise<Sale> {
    return this.read(`sale ${saleId}`, publicRead(salePath(saleId)), saleOf, waiting);
  }

  /** Units of each item that can be ordered now. */
  stock(saleId: string, waiting?: Waiting): Promise<readonly StockItem[]> {
    const call = publicRead(`${salePath(saleId)}/stock`);
    return this.read(`stock of ${saleId}`, call, stockOf, waiting);
  }

  /** The current exchange rates: an order's is fixed when the order is decided. */
  rates(waiting?: Waiting): Promise<Rates> {
    return this.read("rates", publicRead("/v1/rates"), ratesOf, waiting);
  }

  /** The user's orders, newest first. The next page begins at `before`. */
  orders(query: OrderQuery = {}, waiting?: Waiting): Promise<OrderPage> {
    const call: Call = { method: "GET", path: "/v1/orders", query: texts(query) };
    return this.read("orders", call, ordersOf, waiting);
  }

  /** The gateway's time, Unix ms, as far as its answers have shown it. */
  now(): number {
    return this.clock.now();
  }

  /** Opens a WebSocket: orders go out and outcomes come in at once. Reconnects by itself. */
  live(options: LiveOptions = {}): Promise<Live> {
    const { gateways, clock, deadlineMs } = this;
    return Live.open({ gateways, clock, deadlineMs, ...options });
  }

  private read<T>(
    what: string,
    call: Call,
    of: (reply: Reply) => T | undefined,
    waiting: Waiting = {},
  ): Promise<T> {
    const attempt = (signal: AbortSignal) => this.gateways.attempt(call, signal, of);
    return settle({ deadlineMs: this.deadlineMs, ...waiting, what, attempt });
  }

  /** Without an answer, the machine's own clock is used. */
  private async askTime(waiting: Waiting): Promise<void> {
    const call = publicRead("/healthz");
    const most = Math.min(CLOCK_MS, waiting.deadlineMs ?? CLOCK_MS);
    await within(most, waiting.signal, (signal) =>
      this.gateways.attempt(call, signal, () => true),
    ).catch(() => undefined);
  }
}
