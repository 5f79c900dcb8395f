// Wires a gateway. Orders flow through ① admit (order-http, frames → intake) and ② publish (lanes →
// broker); outcomes come back (undecided).
import type { Server } from "bun";
import type { GatewayReport } from "../core/domain/report.ts";
import { metricsOf } from "../core/metrics/metrics.ts";
import { Self } from "../core/metrics/self.ts";
import type { Runtime, Timer } from "../core/runtime/runtime.ts";
import { Auth } from "./access/auth.ts";
import { ClientAddress } from "./access/client-address.ts";
import { Origins } from "./access/origins.ts";
import { Admission } from "./admission/admission.ts";
import { LateRefusals } from "./admission/late-refusals.ts";
import { SoldOut } from "./admission/sold-out.ts";
import { announcedUrl } from "./announced-url.ts";
import { Catalogue } from "./catalogue.ts";
import { type AdminServer, startAdminServer } from "./http/admin-server.ts";
import { createApp } from "./http/app.ts";
import { ByteAllowance } from "./http/byte-allowance.ts";
import type { App, AppParts } from "./http/calls.ts";
import { EventFeed } from "./http/event-feed.ts";
import { Failures } from "./http/failures.ts";
import { KeyedOrders } from "./http/keyed-orders.ts";
import { Listener } from "./http/listener.ts";
import { OrderHttp } from "./http/order-http.ts";
import { problem } from "./http/problem.ts";
import { ReadAllowance } from "./http/read-allowance.ts";
import { LongPoll } from "./http/read-feed.ts";
import { SpareDescriptors } from "./http/spare-descriptors.ts";
import { StockReader } from "./http/stock-reader.ts";
import type { Batch } from "./intake/batch.ts";
import { Counters } from "./intake/counters.ts";
import { Intake } from "./intake/intake.ts";
import { KnownBodies } from "./intake/known-bodies.ts";
import { Lanes } from "./intake/lanes.ts";
import { DEFAULT_LIMITS, type GatewayLimits } from "./intake/limits.ts";
import { OrderKeys } from "./intake/order-keys.ts";
import { tracedPublish } from "./intake/traced-publish.ts";
import { Undecided } from "./intake/undecided.ts";
import type { GatewayOptions } from "./ports.ts";
import { openShop } from "./shop/open.ts";
import { Frames } from "./socket/frames.ts";
import type { Socket } from "./socket/socket.ts";
import { StockFeed } from "./socket/stock-feed.ts";
import { Sockets } from "./socket/websocket.ts";

/**
 * Bun closes a connection without traffic after this, even with requests in flight, so it exceeds
 * the confirm timeout. It also exceeds the 60 s for which load balancers keep a connection: one
 * that the gateway closes first may be closed under a request, which the balancer answers with 502.
 */
const HTTP_IDLE_S = 90;

export interface Gateway {
  /** `http://host:port`, without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Where its metrics are. */
  readonly metricsUrl: string;
  /** Answers everything except order intake and WebSockets. */
  readonly app: App;
  readonly counters: Counters;
  readonly admission: Admission;
  report(): GatewayReport;
  /**
   * Fails /readyz from now on but still accepts orders, so that a load balancer has time to send
   * clients elsewhere.
   */
  leave(): void;
  /** Stops accepting, settles what is in flight, closes the sockets (1001), then stops. */
  close(): Promise<void>;
}

export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { runtime, broker, clock, stores, access, bounds = {}, telemetry = {} } = options;
  const { id, region, host, port, reusePort = false, shards } = options.server;
  const { log = () => undefined, spans } = telemetry;
  const limits: GatewayLimits = { ...DEFAULT_LIMITS, ...bounds.limits };
  const counters = new Counters();
  const origins = new Origins(access.origins);
  const { cachedTokens: maxCached } = limits;
  const auth = await Auth.create(access.auth, { runtime, shards, clock, maxCached });
  const catalogue = new Catalogue(runtime, stores.ledger);
  await catalogue.start();

  const stock = new StockReader(runtime, async (saleId) => {
    const known = catalogue.get(saleId);
    const skus = known?.sale.items.map(({ sku }) => sku) ?? [];
    return { units: await stores.stockOf(saleId, skus), sale: known };
  });
  const admission = admissionOf(options, log);
  const soldOut = bounds.admission?.soldOutAtGate
    ? new SoldOut(stock.look, runtime.monotonicMs)
    : undefined;
  const unitsBack = () => {
    stock.forget();
    soldOut?.unitsBack();
  };
  const bodies = new KnownBodies();
  const undecided = new Undecided(limits.undecidedOrders, {
    onDecided: (batch, words) => {
      bodies.decided(batch, words);
      counters.outcome.observe((runtime.monotonicMs() - batch.bornMs) / 1_000, batch.size);
      admission.settled(batch, true);
    },
    onForgotten: (batch) => admission.settled(batch, false),
    onUnitsBack: unitsBack,
  });
  const most = { inAll: limits.followed, ofUser: limits.followedPerUser };
  const events = new EventFeed(runtime, stores.ledger, most, log);
  const longPoll = new LongPoll(runtime, stores.ledger, log);
  broker.onPush((push) => {
    undecided.push(push);
    events.soon();
  });
  // ② publish
  const publish = async (shard: number, body: Buffer, number: string, batch: Batch) =>
    broker.publish(shard, body, number, batch);
  const lanes = new Lanes({
    runtime,
    shards,
    limits,
    paceMs: () => (admission.pressed ? PRESSED_PACE_MS : PACE_MS),
    numberPrefix: `${Math.floor(runtime.wallMs()).toString(36)}-`,
    publish: spans ? tracedPublish(publish, spans, clock) : publish,
    onSending: (batch) => {
      batch.estimate = admission.estimate(batch.shard, batch.size);
      admission.sent(batch);
      undecided.add(batch);
    },
    onSettled: (batch, verdict) => {
      counters.settled(verdict, batch.size, (runtime.monotonicMs() - batch.sentMs) / 1_000);
      if (verdict === "confirmed") bodies.accepted(batch);
      else admission.settled(batch, false);
      undecided.settled(batch);
    },
  });
  // ① admit
  const intake = new Intake({
    runtime,
    shards,
    clock,
    catalogue,
    lanes,
    counters,
    admission,
    soldOut,
    bodies,
  });
  const { ledger, claimKeys } = stores;
  const keys = new KeyedOrders({
    keys: new OrderKeys({ runtime, clock, claimKeys }),
    intake,
    ledger,
    runtime,
    clock,
  });
  const late = new LateRefusals(runtime, limits);
  const addresses = new ClientAddress(access.trustedProxies);
  const from = { origins, addresses };
  const parts = { runtime, clock, auth, intake, keys, admission, catalogue, ...from, limits, late };
  const http = new OrderHttp(parts);
  const feed = new StockFeed(runtime, stock.of);
  const frames = new Frames({
    runtime,
    auth,
    intake,
    catalogue,
    stock: feed,
    clock,
    limits,
    events,
  });
  const watched = { stock: feed, events };
  const room = () => spare.room();
  const bounded = { limits, late, room };
  const sockets = new Sockets({ runtime, auth, frames, ...watched, ...from, ...bounded, clock });
  let leaving = false;
  const failures = new Failures(runtime, log);
  const appParts: AppParts = {
    leaving: () => leaving,
    options,
    limits,
    access: { auth, origins, addresses, late },
    orders: { intake, admission, counters, undecided },
    reads: {
      ...{ catalogue, stock, feed: events, longPoll },
      allowance: new ReadAllowance(runtime, limits.reads),
      bytes: new ByteAllowance(runtime, limits.publicBytes),
      metricBytes: new ByteAllowance(runtime, limits.metricBytes),
    },
    unitsBack,
    metrics: () => metrics,
    shop: access.shop ? await openShop({ runtime, clock, auth: access.auth, limits }) : undefined,
    failures,
    log,
  };
  const app = createApp(appParts);

  admission.start();

  const serve = (on: number): Server<Socket> =>
    Bun.serve<Socket>({
      hostname: host,
      port: on,
      reusePort,
      development: false,
      idleTimeout: options.server.idleTimeoutS ?? HTTP_IDLE_S,
      // body.ts limits bodies where they are read, with an answer; unread bodies are not kept.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      routes: {
        "/v1/orders": { POST: http.one },
        "/v1/orders/batch": { POST: http.many },
        "/v1/ws": { GET: sockets.upgrade },
      },
      fetch: (request, self) =>
        app.fetch(request, { peer: self.requestIP(request)?.address ?? "" }),
      error: (error) => {
        failures.note({ error: error.message });
        return problem("internal").response();
      },
      websocket: {
        ...sockets.handler,
        data: {} as Socket,
        maxPayloadLength: limits.bodyBytes,
        idleTimeout: limits.idleTimeoutS,
        // Above the size at which a socket closes itself, so that Bun never silently drops a frame.
        backpressureLimit: 2 * limits.socketBufferBytes,
        perMessageDeflate: false,
      },
    });
  const listener = new Listener(serve, port);
  const { url } = listener;
  const announced = announcedUrl(url);
  log("gateway listening", { id, region, url });
  const spare = new SpareDescriptors({ runtime, listener, counters, log });

  const self = new Self(runtime, id);
  const report = (): GatewayReport => ({
    kind: "gateway",
    ...self.report(),
    region,
    url: announced,
    draining: leaving,
    broker: broker.state?.() ?? (broker.blocked() ? "blocked" : "up"),
    publishing: broker.regions?.() ?? { publishesTo: region, regions: [] },
    ...shown(admission),
    ...counters.report(),
    sockets: sockets.size,
    unreadBytes: sockets.unreadBytes,
    ...spare.report(),
    lateRefusals: late.held,
    waitingBytes: lanes.waitingBytes,
    undecided: undecided.orders,
    claims: options.parts?.counts(),
    followed: events.size,
  });
  const metrics = metricsOf({ runtime, report, overview: options.operator?.overview });
  const { metrics: apart } = options.server;
  const adminServer: AdminServer | undefined = apart && startAdminServer(apart, appParts);
  const leave = () => {
    leaving = true;
  };
  const close = async (): Promise<void> => {
    leave();
    admission.draining = true;
    sockets.drain();
    longPoll.stop();
    options.parts?.quiet();
    spare.stop();
    const stopped = listener.stop();
    await within(runtime, lanes.idle(), limits.drainMs);
    admission.stop();
    self.stop();
    catalogue.stop();
    feed.stop();
    events.stop();
    sockets.close();
    await within(runtime, stopped, CLOSE_GRACE_MS);
    await listener.cut();
    await adminServer?.stop();
  };
  return {
    url,
    port: listener.port,
    metricsUrl: `${adminServer?.url ?? url}/metrics`,
    app,
    counters,
    admission,
    report,
    leave,
    close,
  };
}

function admissionOf(
  { runtime, server, broker, bounds }: GatewayOptions,
  log: (event: string, detail: Record<string, unknown>) => void,
): Admission {
  const {
    targetWaitMs = DEFAULT_TARGET_MS,
    stallOrders = DEFAULT_STALL_ORDERS,
    lateMs = DEFAULT_LATE_MS,
    userPerSecond = 0,
    userBurst = 1,
    regionPerSecond = 0,
  } = bounds?.admission ?? {};
  return new Admission({
    runtime,
    shards: server.shards,
    targetMs: targetWaitMs,
    stallOrders,
    lateMs,
    ...(userPerSecond > 0 ? { user: { perSecond: userPerSecond, burst: userBurst } } : {}),
    ...(regionPerSecond > 0 ? { regionPerSecond } : {}),
    brokerBlocked: () => broker.blocked(),
    onChange: (state, reasons) => log("admission", { state, reasons }),
  });
}

function shown(admission: Admission): Pick<GatewayReport, "admission" | "reasons" | "shards"> {
  const { state, reasons, shards } = admission.report();
  return { admission: state, reasons, shards };
}

/**
 * Under load a small batch gathers orders for at most this long, ms: less than a third of the 20 ms
 * within which an order is to be acknowledged goes to the broker (docs/decisions/0017-pace.md).
 */
const PACE_MS = 10;
/**
 * While orders are shed, accepted ones wait about a second anyway, and gather for longer, ms. With
 * three times the machine's capacity offered, 70% of the best was decided instead of 51%
 * (docs/decisions/0010-admission.md).
 */
const PRESSED_PACE_MS = 20;
const DEFAULT_TARGET_MS = 2_000;
const DEFAULT_STALL_ORDERS = 20_000;
const DEFAULT_LATE_MS = 50;

/** Time for answers to leave and clients to answer the close; then connections are cut. */
const CLOSE_GRACE_MS = 500;

/** Waits for a promise, but at most `ms`. */
async function within(runtime: Runtime, promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: Timer | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = runtime.startTimer(resolve, ms);
  });
  await Promise.race([promise, enough]);
  runtime.stopTimer(timer);
}
