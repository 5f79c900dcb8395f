// What an order costs a gateway without network and broker: from the bytes of a frame or request
// to the message for its shard, then from the confirm to the answer, then from the worker's push to
// the frame with its outcome. Prints ns per order and stage.
//
//   bun bench/gateway.ts
//
// The standard workload. The best of many rounds, because other work on the machine only adds time.
import type { ServerWebSocket } from "bun";
import { at } from "../core/domain/at.ts";
import type { Push } from "../core/domain/push.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Auth } from "../gateway/access/auth.ts";
import { ClientAddress } from "../gateway/access/client-address.ts";
import { Origins } from "../gateway/access/origins.ts";
import { Admission } from "../gateway/admission/admission.ts";
import { LateRefusals } from "../gateway/admission/late-refusals.ts";
import { Catalogue } from "../gateway/catalogue.ts";
import type { EventFeed } from "../gateway/http/event-feed.ts";
import { KeyedOrders } from "../gateway/http/keyed-orders.ts";
import { OrderHttp } from "../gateway/http/order-http.ts";
import type { Batch } from "../gateway/intake/batch.ts";
import { Counters } from "../gateway/intake/counters.ts";
import { Intake } from "../gateway/intake/intake.ts";
import { KnownBodies } from "../gateway/intake/known-bodies.ts";
import { Lanes } from "../gateway/intake/lanes.ts";
import { DEFAULT_LIMITS } from "../gateway/intake/limits.ts";
import { OrderKeys } from "../gateway/intake/order-keys.ts";
import { Undecided } from "../gateway/intake/undecided.ts";
import { Frames } from "../gateway/socket/frames.ts";
import { Socket } from "../gateway/socket/socket.ts";
import type { StockFeed } from "../gateway/socket/stock-feed.ts";
import { Unread } from "../gateway/socket/unread.ts";
import { mintToken } from "../proof/load/tokens.ts";
import { BENCH_SALE, benchSale, bodies } from "./intake/orders.ts";

const ROUNDS = 300;
const SECRET = "a secret that is long enough for HS256";
const ISSUER = { secret: SECRET, issuer: "bench", audience: "bench" };
const SOCKETS = 16;
const USERS = 2_000;
/** Requests here have no connection. */
const NOWHERE = { requestIP: () => null };
/** One order in this many is reserved, so its later states are awaited. */
const RESERVED_ONE_IN = 10;

export type Way = "websocket" | "http";

/** ns per order. */
export interface GatewayCost {
  readonly way: Way;
  readonly perMessage: number;
  /** From the bytes to the columns of a message. */
  readonly accept: number;
  /** The message's text. */
  readonly message: number;
  /** From the confirm to the answers. */
  readonly answer: number;
  /** From the push to the outcomes; over HTTP nobody waits for them. */
  readonly outcome: number;
}

/** The cost per order with this many orders in each message. */
export async function gatewayCost(way: Way, perMessage: number): Promise<GatewayCost> {
  const bench = await Bench.create(way);
  const best = { accept: 1e9, message: 1e9, answer: 1e9, outcome: 1e9 };
  for (let round = 0; round < ROUNDS; round++) {
    const took = await bench.round(perMessage);
    for (const stage of STAGES) best[stage] = Math.min(best[stage], took[stage] / perMessage);
  }
  return { way, perMessage, ...best };
}

const STAGES = ["accept", "message", "answer", "outcome"] as const;
type Took = Record<(typeof STAGES)[number], number>;

/** A gateway's parts for orders, with turns of the event loop and confirms made by hand. */
class Bench {
  private turn: (() => void)[] = [];
  private timers: (() => void)[] = [];
  private confirm: () => void = () => undefined;
  private readonly sent: Batch[] = [];
  private readonly sockets: Socket[];
  private serial = 0;
  private written = 0;
  readonly frames: Frames;
  readonly http: OrderHttp;
  private readonly known = new KnownBodies();
  private readonly undecided = new Undecided(DEFAULT_LIMITS.undecidedOrders, {
    onDecided: (batch, words) => this.known.decided(batch, words),
  });

  private constructor(
    private readonly way: Way,
    auth: Auth,
    catalogue: Catalogue,
    private readonly tokens: readonly string[],
  ) {
    const limits = DEFAULT_LIMITS;
    const runtime = {
      ...realRuntime,
      nextTurn: (call: () => void) => void this.turn.push(call),
      startTimer: (call: () => void) => {
        this.timers.push(call);
        return { unref: () => undefined };
      },
    };
    const clock = () => Math.round(realRuntime.wallMs());
    const admission = new Admission({
      runtime,
      shards: 1,
      targetMs: 60_000,
      stallOrders: 1_000_000,
      lateMs: 1_000,
      user: { perSecond: 5, burst: 1_000_000 },
      brokerBlocked: () => false,
    });
    const lanes = new Lanes({
      runtime,
      shards: 1,
      limits,
      paceMs: () => 0,
      numberPrefix: "b-",
      publish: (_shard, body) => {
        this.written += body.length;
        const { promise, resolve } = Promise.withResolvers<"confirmed">();
        this.confirm = () => resolve("confirmed");
        return promise;
      },
      onSending: (batch) => {
        batch.estimate = admission.estimate(batch.shard, batch.size);
        admission.sent(batch);
        this.undecided.add(batch);
        this.sent.push(batch);
      },
      onSettled: (batch) => {
        this.known.accepted(batch);
        this.undecided.settled(batch);
      },
    });
    const counters = new Counters();
    const parts = { runtime, shards: 1, clock, catalogue, lanes, counters, admission };
    const intake = new Intake({ ...parts, bodies: this.known });
    const claimKeys = () => Promise.reject(new Error("orders have ids here"));
    const ledger = { order: () => Promise.resolve(undefined) };
    const keys = new KeyedOrders({
      keys: new OrderKeys({ runtime, clock: runtime.wallMs, claimKeys }),
      ...{ intake, ledger, runtime, clock },
    });
    const origins = new Origins([]);
    const late = new LateRefusals(runtime, limits);
    const from = { origins, addresses: new ClientAddress([]) };
    this.http = new OrderHttp({ ...parts, auth, intake, keys, ...from, limits, late });
    const none = { stock: {} as StockFeed, events: {} as EventFeed };
    this.frames = new Frames({
      runtime: realRuntime,
      auth,
      intake,
      catalogue,
      clock,
      limits,
      ...none,
    });
    const later = (socket: Socket) => void this.turn.push(() => socket.flush());
    this.sockets = Array.from({ length: SOCKETS }, () => this.socket(later));
  }

  static async create(way: Way): Promise<Bench> {
    const key = { kind: "secret", secret: SECRET } as const;
    const options = { algorithm: "HS256", issuer: "bench", audience: "bench", key } as const;
    const clock = realRuntime.wallMs;
    const deps = { runtime: realRuntime, shards: 1, clock, maxCached: 2 * USERS };
    const auth = await Auth.create(options, deps);
    const ledger = {
      catalogueVersion: () => Promise.resolve(1),
      saleVersions: () => Promise.resolve([{ id: benchSale(0).id, version: 1, retired: false }]),
      sales: () => Promise.resolve([benchSale(realRuntime.wallMs())]),
    };
    const catalogue = new Catalogue(realRuntime, ledger);
    await catalogue.start();
    catalogue.stop();
    const tokens: string[] = [];
    for (let i = 0; i < USERS; i++) tokens.push(await mintToken(ISSUER, `user-${i}`));
    for (const token of tokens) await auth.token(token);
    return new Bench(way, auth, catalogue, tokens);
  }

  async round(orders: number): Promise<Took> {
    const requests = this.way === "http" ? this.requests(orders) : [];
    const texts = this.way === "http" ? [] : this.texts(orders);
    const started = now();
    const answers =
      this.way === "http" ? requests.map((request) => this.http.one(request, NOWHERE)) : [];
    for (let i = 0; i < texts.length; i++)
      this.frames.receive(at(this.sockets, i % SOCKETS), (texts[i] as Buffer).toString());
    await microtasks();
    const accepted = now();
    this.runTurn();
    const written = now();
    this.confirm();
    await microtasks();
    this.runTurn();
    await Promise.all(answers);
    const answered = now();
    for (const batch of this.sent.splice(0)) this.undecided.push(pushFor(batch));
    this.runTurn();
    const decided = now();
    for (const timer of this.timers.splice(0)) timer();
    return {
      accept: accepted - started,
      message: written - accepted,
      answer: answered - written,
      outcome: decided - answered,
    };
  }

  private runTurn(): void {
    for (const call of this.turn.splice(0)) call();
  }

  private socket(later: (socket: Socket) => void): Socket {
    const unread = new Unread({ ofSocket: 1, inAll: 1 });
    const socket = new Socket(DEFAULT_LIMITS, later, 0, realRuntime.random, unread);
    const send = (text: string) => {
      this.written += Buffer.from(text).length; // Bun encodes the text, too
      return text.length;
    };
    socket.opened({ send, getBufferedAmount: () => 0 } as unknown as ServerWebSocket<Socket>);
    const expiresAtMs = Number.POSITIVE_INFINITY;
    const scopes = { operator: false, viewer: false, service: true };
    socket.principal = { user: "s", shard: 0, ...scopes, expiresAtMs };
    return socket;
  }

  private texts(count: number): Buffer[] {
    return Array.from({ length: count }, () => {
      const id = realRuntime.uuidV7();
      const { serial, body } = this.next();
      return Buffer.from(
        `{"type":"order","ref":"0","order":{"id":"${id}","user":"user-${serial % USERS}",${body}}`,
      );
    });
  }

  private requests(count: number): Request[] {
    return Array.from({ length: count }, () => {
      const { serial, body } = this.next();
      const text = `{"id":"${realRuntime.uuidV7()}",${body}`;
      const headers = {
        "content-type": "application/json",
        "content-length": String(text.length),
        authorization: `Bearer ${this.tokens[(serial * 7) % USERS]}`,
      };
      return new Request("http://gateway/v1/orders", { method: "POST", headers, body: text });
    });
  }

  private next(): { serial: number; body: string } {
    const serial = this.serial++;
    return { serial, body: at(BODIES, serial % BODIES.length) };
  }
}

const BODIES = bodies(false);

/** As a gateway reads it from its queue. */
function pushFor(batch: Batch): Push {
  const outcomes = Array.from({ length: batch.size }, (_, i) =>
    i % RESERVED_ONE_IN === 0 ? "reserved" : "sold_out",
  );
  return { batches: [[batch.number, outcomes.join(",")]], released: [] };
}

/** Lets promises that are settled call back. */
async function microtasks(): Promise<void> {
  for (let i = 0; i < 12; i++) await undefined;
}

/** ns. */
function now(): number {
  return realRuntime.monotonicMs() * 1e6;
}

if (import.meta.main) {
  console.log(`# What an order costs a gateway (${BENCH_SALE})\n`);
  console.log("| way | orders per message | accept | message | answer | outcome | in all, ns |");
  console.log("|---|---|---|---|---|---|---|");
  for (const way of ["websocket", "http"] as const)
    for (const perMessage of [400, 50, 8]) {
      const { accept, message, answer, outcome } = await gatewayCost(way, perMessage);
      const cells = [accept, message, answer, outcome, accept + message + answer + outcome];
      const figures = cells.map((ns) => ns.toFixed(0)).join(" | ");
      console.log(`| ${way} | ${perMessage} | ${figures} |`);
    }
}
