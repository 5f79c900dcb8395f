// A payment provider to try Sluice with: a real HTTP server that captures, refunds and answers look-ups by idempotency key, keeps its own
// record, and misbehaves as told.
//
//   POST /v1/charges        Idempotency-Key; {order, amount, currency, payment}  → 200 captured · 202 pending · 402 declined · 409 other body
//   GET  /v1/charges/:key   → the charge, 404 when there is none
//   POST /v1/refunds        {key}                                                → 200 · 404 no such charge · 409 not captured
//   GET  /v1/records        every charge, one JSON object a line
//   GET  /healthz
//   POST /outage            {"on": true}: every call gets 503 until it is off again
import { parseChargeKey } from "../../core/domain/charge.ts";
import { type Behaviour, behaviourFor, type Shares } from "./behaviour.ts";
import { Book, type Charge, type ChargeStatus } from "./book.ts";
import { Webhooks } from "./webhooks.ts";

export interface ProviderOptions {
  readonly file: string;
  /** The loopback unless said otherwise: it is for trying things out. */
  readonly host?: string;
  readonly port: number;
  readonly shares: Shares;
  readonly seed: number;
  /** Where webhooks go; none are sent without it. */
  readonly webhookUrl?: string;
  /** What they are signed with, a signature each. */
  readonly webhookSecrets: readonly string[];
  /** How long a call hangs that gets no answer, ms. */
  readonly hangMs?: number;
  /** How long a slow one takes, ms. */
  readonly slowMs?: number;
  /** How long a pending one stays pending, ms. */
  readonly pendingMs?: number;
}

export interface Provider {
  readonly url: string;
  readonly book: Book;
  /** Every call fails until it is over. */
  outage: boolean;
  /** From now on new charges go well, whatever cards and shares say; `forgive(false)` ends it. */
  forgive(on?: boolean): void;
  stop(): Promise<void>;
}

interface ChargeBody {
  readonly order: string;
  readonly amount: number;
  readonly currency: string;
  readonly payment: string;
}

const DEFAULT_HANG_MS = 30_000;
const DEFAULT_SLOW_MS = 800;
const DEFAULT_PENDING_MS = 1_500;
const RETRY_AFTER_S = 1;

export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const desk = new Desk(options, await Book.open(options.file));
  const server = Bun.serve({
    hostname: options.host ?? "127.0.0.1",
    port: options.port,
    idleTimeout: 0,
    fetch: (request) => desk.answer(request),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    book: desk.book,
    get outage() {
      return desk.outage;
    },
    set outage(on: boolean) {
      desk.outage = on;
    },
    forgive: (on = true) => {
      desk.forgiving = on;
    },
    stop: async () => {
      desk.stop();
      await server.stop(true);
      await desk.book.close();
    },
  };
}

class Desk {
  outage = false;
  forgiving = false;
  private readonly webhooks: Webhooks;
  /** Keys whose behaviour has been shown: it is shown once. */
  private readonly shown = new Set<string>();
  private readonly timers = new Set<Timer>();

  constructor(
    private readonly options: ProviderOptions,
    readonly book: Book,
  ) {
    this.webhooks = new Webhooks(options.webhookUrl, options.webhookSecrets);
  }

  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/outage" && request.method === "POST") {
      this.outage = Boolean(((await request.json()) as { on?: boolean }).on);
      return Response.json({ outage: this.outage });
    }
    if (pathname === "/healthz") return Response.json({ ok: true });
    if (pathname === "/v1/records")
      return new Response(
        [...this.book.charges.values()].map((c) => `${JSON.stringify(c)}\n`).join(""),
      );
    if (this.outage) return Response.json({ error: "outage" }, { status: 503 });
    if (pathname === "/v1/charges" && request.method === "POST") return this.charge(request);
    if (pathname.startsWith("/v1/charges/"))
      return this.lookUp(decodeURIComponent(pathname.slice("/v1/charges/".length)));
    if (pathname === "/v1/refunds" && request.method === "POST") return this.refund(request);
    return Response.json({ error: "no such call" }, { status: 404 });
  }

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.webhooks.stop();
  }

  private async charge(request: Request): Promise<Response> {
    const key = request.headers.get("idempotency-key") ?? "";
    const body = (await request.json()) as ChargeBody;
    const attempt = parseChargeKey(key)?.attempt;
    if (attempt === undefined || !(body.amount > 0))
      return Response.json(
        { error: "Idempotency-Key and a positive amount are needed" },
        { status: 400 },
      );
    const known = this.book.charges.get(key);
    if (known)
      return known.amount === body.amount && known.currency === body.currency
        ? answerFor(known)
        : Response.json({ error: "key reused" }, { status: 409 });
    const { shares, seed } = this.options;
    const behaviour =
      this.forgiving || this.shown.has(key)
        ? "none"
        : behaviourFor({ key, payment: body.payment, attempt }, shares, seed);
    if (behaviour !== "decline") this.shown.add(key);
    return this.serve(key, body, behaviour);
  }

  private async serve(key: string, body: ChargeBody, behaviour: Behaviour): Promise<Response> {
    const {
      hangMs = DEFAULT_HANG_MS,
      slowMs = DEFAULT_SLOW_MS,
      pendingMs = DEFAULT_PENDING_MS,
    } = this.options;
    switch (behaviour) {
      case "decline":
        return answerFor(await this.enter(key, body, "declined"));
      case "error_before":
        return Response.json({ error: "internal" }, { status: 500 });
      case "error_after":
        await this.enter(key, body, "captured");
        return Response.json({ error: "internal" }, { status: 500 });
      case "timeout_before":
        return this.hang(hangMs);
      case "timeout_after":
        await this.enter(key, body, "captured");
        return this.hang(hangMs);
      case "limited":
        return Response.json(
          { error: "slow down" },
          { status: 429, headers: { "retry-after": String(RETRY_AFTER_S) } },
        );
      case "slow":
        await Bun.sleep(slowMs);
        return answerFor(await this.enter(key, body, "captured"));
      case "pending": {
        const charge = await this.enter(key, body, "pending");
        this.later(pendingMs, () => this.settle(charge));
        return answerFor(charge);
      }
      case "twice":
      case "late":
      case "forged":
      case "none": {
        const charge = await this.enter(key, body, "captured");
        if (behaviour !== "none") this.webhooks.send(charge, "captured", behaviour);
        return answerFor(charge);
      }
    }
  }

  /** A call with the same key that came while this one was being written finds it. */
  private async enter(key: string, body: ChargeBody, status: ChargeStatus): Promise<Charge> {
    if (!this.book.charges.has(key))
      await this.book.charge({
        key,
        order: body.order,
        amount: body.amount,
        currency: body.currency,
        status,
      });
    return this.book.charges.get(key) as Charge;
  }

  private async settle(charge: Charge): Promise<void> {
    await this.book.settle(charge.key, "captured");
    this.webhooks.send(charge, "captured");
  }

  private lookUp(key: string): Response {
    const charge = this.book.charges.get(key);
    return charge ? Response.json(charge) : Response.json({ key, status: "none" }, { status: 404 });
  }

  private async refund(request: Request): Promise<Response> {
    const { key } = (await request.json()) as { key: string };
    const charge = this.book.charges.get(key);
    if (!charge) return Response.json({ key, status: "none" }, { status: 404 });
    if (charge.status !== "captured")
      return Response.json({ error: `the charge is ${charge.status}` }, { status: 409 });
    if (!charge.refunded) await this.book.refund(key);
    const { amount, currency } = charge;
    return Response.json({ key, amount, currency, status: "refunded" });
  }

  private async hang(ms: number): Promise<Response> {
    await new Promise<void>((resolve) => this.later(ms, resolve));
    return Response.json({ error: "gateway timeout" }, { status: 504 });
  }

  private later(ms: number, work: () => unknown): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      void work();
    }, ms);
    this.timers.add(timer);
  }
}

const STATUS_CODES: Readonly<Record<ChargeStatus, number>> = {
  captured: 200,
  pending: 202,
  declined: 402,
};

function answerFor(charge: Charge): Response {
  return Response.json(charge, { status: STATUS_CODES[charge.status] });
}
