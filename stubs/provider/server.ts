// A payment provider for trials: an HTTP server that implements docs/payments.md, keeps its own
// record, and misbehaves on demand (behaviour.ts). It adds these calls:
//
//   GET  /v1/records   every charge with its refund and dispute, one JSON object per line
//   GET  /healthz      {"open"}: changes and webhooks that are still due; {"unanswered"}: attempts
//                      of webhooks without an answer
//   POST /outage       {"on": true}: every call gets 503 until it is switched off
//   POST /shares       {"shares": "decline=0.1"}: new charges misbehave like this from now on
import { failed, LOGIN_PATH } from "./answers.ts";
import { parseShares } from "./behaviour.ts";
import { Book } from "./book.ts";
import { Charges } from "./charges.ts";
import { Desk, type ProviderOptions } from "./desk.ts";
import { Refunds } from "./refunds.ts";

export type { ProviderOptions } from "./desk.ts";

export interface Provider {
  readonly url: string;
  readonly book: Book;
  /** While true, every call fails. */
  outage: boolean;
  /** Calls that followed a redirect and so sent token and key to a third party. */
  readonly ledAstray: number;
  /** New charges succeed from now on, whatever tokens and shares say; `forgive(false)` ends it. */
  forgive(on?: boolean): void;
  stop(): Promise<void>;
}

export async function startProvider(options: ProviderOptions): Promise<Provider> {
  const desk = new Desk(options, await Book.open(options.file));
  const counter = new Counter(desk);
  const server = Bun.serve({
    hostname: options.host ?? "127.0.0.1",
    port: options.port,
    idleTimeout: 0,
    fetch: (request) => counter.answer(request),
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    book: desk.book,
    get outage() {
      return counter.outage;
    },
    set outage(on: boolean) {
      counter.outage = on;
    },
    get ledAstray() {
      return counter.ledAstray;
    },
    forgive: (on = true) => {
      counter.charges.forgiving = on;
    },
    stop: async () => {
      desk.stop();
      await server.stop(true);
      await desk.book.close();
    },
  };
}

/** Answers the provider's calls, without a server. */
export class Counter {
  outage = false;
  ledAstray = 0;
  readonly charges: Charges;
  private readonly refunds: Refunds;

  constructor(private readonly desk: Desk) {
    this.charges = new Charges(desk);
    this.refunds = new Refunds(desk);
  }

  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const { method } = request;
    if (pathname === "/outage" && method === "POST") {
      this.outage = Boolean(((await request.json()) as { on?: boolean }).on);
      return Response.json({ outage: this.outage });
    }
    if (pathname === "/shares" && method === "POST") {
      this.desk.shares = parseShares(((await request.json()) as { shares: string }).shares);
      return Response.json({ shares: this.desk.shares });
    }
    if (pathname === "/healthz") {
      const { open, unanswered } = this.desk;
      return Response.json({ ok: true, open, unanswered });
    }
    if (pathname === "/v1/records") return this.records();
    if (pathname === LOGIN_PATH) {
      this.ledAstray++;
      return Response.json({ status: "captured" });
    }
    if (this.outage) return failed(503, "outage");
    if (pathname === "/v1/charges" && method === "POST") return this.charges.charge(request);
    if (pathname === "/v1/refunds" && method === "POST") return this.refunds.refund(request);
    const [, kind, key] = /^\/v1\/(charges|refunds)\/([^/]+)$/.exec(pathname) ?? [];
    if (kind === undefined || key === undefined) return failed(404, "no such call");
    const named = decodeURIComponent(key);
    return kind === "charges" ? this.charges.lookUp(named) : this.refunds.lookUp(named);
  }

  private records(): Response {
    const lines = [...this.desk.book.charges.values()].map((charge) => {
      const returned = charge.refundedBy === "provider";
      return `${JSON.stringify({ ...charge, returned })}\n`;
    });
    return new Response(lines.join(""));
  }
}
