// For tests: a gateway on a free port with a real ledger in a directory of its own, and a broker
// whose confirms the test controls.
import { SignJWT } from "jose";
import { at } from "../core/domain/at.ts";
import { allRows, readMessage } from "../core/domain/message.ts";
import type { Push } from "../core/domain/push.ts";
import { idOf, type Row } from "../core/domain/row.ts";
import type { Sale } from "../core/domain/sale.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Ledger } from "../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { testDir } from "../test/services.ts";
import type { AuthOptions } from "./access/auth.ts";
import { watchAnswers } from "./http/test-openapi.ts";
import type {
  BrokerPort,
  GatewayOptions,
  OperatorPort,
  PublishOutcome,
  StoresPort,
} from "./ports.ts";
import { frameMisfit } from "./socket/test-asyncapi.ts";
import { type Gateway, startGateway } from "./start.ts";

export const SECRET = "a secret that is long enough for HS256";
export const ISSUER = "https://issuer.example";
export const AUDIENCE = "sluice";
const SHARDS = 4;

export interface Published {
  readonly shard: number;
  readonly batch: string;
  readonly rows: Row[];
  settle(outcome: PublishOutcome): void;
}

/** Replaces the broker in tests about confirms: their order, or their absence. */
export class TestBroker implements BrokerPort {
  readonly published: Published[] = [];
  /** The immediate answer to each publish; undefined: the test settles it. */
  answer: PublishOutcome | undefined = "confirmed";
  isBlocked = false;
  /** Where batches go, if it is not the home region. */
  region: string | undefined;
  tell: (push: Push) => void = () => undefined;
  private wake: () => void = () => undefined;

  publish(
    shard: number,
    body: Buffer,
    batch: string,
    placed: { region?: string | undefined },
  ): Promise<PublishOutcome> {
    if (this.region !== undefined) placed.region = this.region;
    const { promise, resolve } = Promise.withResolvers<PublishOutcome>();
    this.published.push({
      shard,
      batch,
      rows: allRows(readMessage(body.toString())),
      settle: resolve,
    });
    if (this.answer) resolve(this.answer);
    this.wake();
    return promise;
  }

  blocked(): boolean {
    return this.isBlocked;
  }

  onPush(handler: (push: Push) => void): void {
    this.tell = handler;
  }

  /** The n-th batch published, from 0, once it exists. */
  async batch(n: number): Promise<Published> {
    while (this.published.length <= n) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return at(this.published, n);
  }

  /** All rows published so far. */
  get rows(): Row[] {
    return this.published.flatMap((p) => p.rows);
  }
}

export const SALE: Sale = {
  id: "spring",
  name: "Spring sale",
  currency: "EUR",
  opensAtMs: Date.now() - 60_000,
  closesAtMs: Date.now() + 3_600_000,
  items: [
    {
      sku: "lamp",
      name: "Lamp",
      category: "home",
      priceMinor: 4_900,
      limitPerUser: 2,
      initial: 100,
    },
    {
      sku: "chair",
      name: "Chair",
      category: "home",
      priceMinor: 12_900,
      limitPerUser: 0,
      initial: 10,
    },
  ],
};

export interface TestGateway {
  readonly gateway: Gateway;
  readonly broker: TestBroker;
  readonly ledger: Ledger;
  readonly ledgerPath: string;
  readonly claimKeys: StoresPort["claimKeys"];
  close(): Promise<void>;
}

/** What tests change, by the names it has within the groups of GatewayOptions. */
export type TestGatewayOptions = Partial<
  Pick<GatewayOptions, "clock" | "broker" | "ready"> &
    Pick<GatewayOptions["server"], "id" | "port" | "reusePort" | "metrics"> &
    Pick<
      GatewayOptions["access"],
      "origins" | "webhookSecrets" | "webhookPrivate" | "consoleOidc" | "grafana" | "shop"
    > &
    NonNullable<GatewayOptions["bounds"]> &
    NonNullable<GatewayOptions["telemetry"]> &
    StoresPort &
    OperatorPort
> & { readonly auth?: Partial<AuthOptions> };

/** With sale SALE in the ledger. */
export async function startTestGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const broker = new TestBroker();
  const ledgerPath = `${testDir("gateway")}/ledger.db`;
  const ledger = await openLedger({
    runtime: realRuntime,
    url: `sqlite:${ledgerPath}`,
    shards: SHARDS,
  });
  await ledger.operate({ kind: "create", ref: "create spring", sale: SALE }, "test");
  const writer = await openLedgerWriter(realRuntime, `sqlite:${ledgerPath}`);
  const { claimKeys = (...claims) => writer.claimKeys(...claims) } = options;
  const { id = "gw-test", port = 0, reusePort, metrics, origins = [], webhookSecrets } = options;
  const { webhookPrivate, shop } = options;
  const { limits, admission, letters, overview, workers, services, spans, log } = options;
  const gateway = await startGateway({
    runtime: realRuntime,
    server: { id, region: "eu", host: "127.0.0.1", port, reusePort, metrics, shards: SHARDS },
    access: {
      auth: {
        algorithm: "HS256",
        issuer: ISSUER,
        audience: AUDIENCE,
        key: { kind: "secret", secret: SECRET },
        toleranceMs: 0,
        ...options.auth,
      },
      origins,
      trustedProxies: [],
      webhookSecrets,
      webhookPrivate,
      shop,
      consoleOidc: options.consoleOidc,
      grafana: options.grafana,
    },
    bounds: { limits, admission },
    clock: options.clock ?? Date.now,
    broker: options.broker ?? broker,
    stores: {
      ledger: options.ledger ?? ledger,
      claimKeys,
      stockOf: options.stockOf ?? ((saleId) => ledger.stock(saleId)),
      rates: options.rates ?? (() => Promise.resolve([])),
      applyOperation: options.applyOperation ?? (() => Promise.resolve()),
    },
    operator: { letters, overview, workers, services, ratesByHand: options.ratesByHand },
    ready: options.ready ?? (() => Promise.resolve({ ok: true, detail: {} })),
    telemetry: { spans, log },
  });
  watchAnswers(gateway);
  const close = async () => {
    await gateway.close();
    await writer.close();
    await ledger.close();
  };
  return { gateway, broker, ledger, ledgerPath, claimKeys, close };
}

/** What an operator finds where nothing runs and nothing waits. */
export const IDLE: TestGatewayOptions = {
  letters: {
    list: async () => ({ letters: [] }),
    redrive: async () => ({ matched: 0, done: 0, left: [] }),
    drop: async () => ({ matched: 0, done: 0, left: [] }),
  },
  workers: { pause: async () => [], resume: async () => [] },
  ratesByHand: {
    list: async () => ({ rates: [], waiting: [] }),
    settle: async () => ({ result: "not_waiting", now: undefined }),
  },
};

const started: TestGateway[] = [];

/** One that closeGateways() closes. */
export async function start(options?: TestGatewayOptions): Promise<TestGateway> {
  const gateway = await startTestGateway(options);
  started.push(gateway);
  return gateway;
}

/** For `afterEach`. */
export async function closeGateways(): Promise<void> {
  for (const gateway of started.splice(0)) await gateway.close();
}

export interface TokenOptions {
  readonly scope?: string;
  readonly expiresInS?: number;
  readonly secret?: string;
  readonly issuer?: string;
  readonly audience?: string;
}

export function token(user: string, options: TokenOptions = {}): Promise<string> {
  return new SignJWT(options.scope === undefined ? {} : { scope: options.scope })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject(user)
    .setIssuer(options.issuer ?? ISSUER)
    .setAudience(options.audience ?? AUDIENCE)
    .setExpirationTime(Math.floor(Date.now() / 1000) + (options.expiresInS ?? 3_600))
    .sign(new TextEncoder().encode(options.secret ?? SECRET));
}

/** The id of the order that a row is about. */
export function idIn(row: Row | undefined): unknown {
  return row === undefined || row.kind === "skip" ? undefined : idOf(row);
}

/** The trace that a row names. */
export function traceIn(row: Row): string | undefined {
  return row.kind === "order" ? row.trace : undefined;
}

/** A valid order, with changes. */
export function order(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: Bun.randomUUIDv7(),
    saleId: "spring",
    currency: "EUR",
    lines: [{ sku: "lamp", qty: 1 }],
    ...changes,
  };
}

/** Posts JSON (or text unchanged) as `user`. */
export async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });
}

export const bearer = async (user: string, options?: TokenOptions) => ({
  authorization: `Bearer ${await token(user, options)}`,
});

type ServerFrame = Record<string, unknown> & { readonly type: string };

/** A WebSocket client that keeps every frame until the test takes it. */
export class TestSocket {
  private readonly frames: ServerFrame[] = [];
  private wake: () => void = () => undefined;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;

  private constructor(readonly ws: WebSocket) {
    ws.onmessage = ({ data }) => {
      const frame = JSON.parse(data as string) as ServerFrame;
      const wrong = frameMisfit("server", frame);
      if (wrong !== undefined) throw new Error(`not in /asyncapi.json: ${wrong}: ${data}`);
      this.frames.push(frame);
      this.wake();
    };
    this.closed = new Promise((resolve) => {
      ws.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  /** Opens a socket; with a user, waits until it is ready. */
  static async open(url: string, user?: string, options?: TokenOptions): Promise<TestSocket> {
    const headers = user === undefined ? {} : await bearer(user, options);
    const socket = new TestSocket(
      new WebSocket(`${url.replace("http", "ws")}/v1/ws`, { headers } as unknown as string[]),
    );
    await new Promise((resolve, reject) => {
      socket.ws.onopen = resolve;
      socket.ws.onerror = () => reject(new Error("the handshake was refused"));
    });
    if (user !== undefined) await socket.next("ready");
    return socket;
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** The first frame of this type not yet taken, once it has arrived. */
  async next(type: string): Promise<ServerFrame> {
    for (;;) {
      const index = this.frames.findIndex((f) => f.type === type);
      if (index >= 0) return at(this.frames.splice(index, 1), 0);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Types of the frames not yet taken. */
  get waiting(): string[] {
    return this.frames.map((f) => f.type);
  }
}
