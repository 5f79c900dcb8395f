// The payment provider over HTTP (contract: docs/payments.md). Only answers that the contract
// documents are believed, and only if they repeat the request's key, amount and currency. A page
// with status 200, a redirect or another charge's answer is `unknown`.
import { type ChargeRequest, chargeKey, type RefundRequest } from "../../core/domain/charge.ts";
import { Histogram } from "../../core/metrics/histogram.ts";
import { KeptConnections } from "../../core/runtime/kept-connections.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type {
  ChargeAnswer,
  ChargeTerms,
  LookUpAnswer,
  NoAnswer,
  PaymentProvider,
  RefundAnswer,
  RefundLookUpAnswer,
} from "./provider.ts";
import {
  type Body,
  type Call,
  callProvider,
  type Fetch,
  type JsonObject,
  type Reply,
} from "./provider-call.ts";

/** What an answer must repeat. */
interface Terms {
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
}

export class HttpProvider implements PaymentProvider {
  /** Duration of calls, in seconds. */
  readonly took = new Histogram();
  private readonly url: string;
  private readonly kept: KeptConnections;

  constructor(
    private readonly runtime: Runtime,
    url: string,
    /** A call without an answer for this long is `unknown`. */
    private readonly timeoutMs: number,
    private readonly fetcher?: Fetch,
  ) {
    this.url = url.replace(/\/+$/, "");
    this.kept = new KeptConnections(runtime);
  }

  async charge(request: ChargeRequest): Promise<ChargeAnswer> {
    const { id, amount, currency, payment, traceparent } = request;
    const terms = termsOf(request);
    const reply = await this.call({
      method: "POST",
      url: "/v1/charges",
      body: { order: id, amount, currency, payment },
      key: terms.key,
      traceparent,
    });
    if (reply.kind !== "reply") return reply;
    const { status, body } = reply;
    if (status === 200 && confirms(body, "captured", terms)) return { kind: "captured" };
    if (status === 202 && confirms(body, "pending", terms)) return { kind: "pending" };
    if (REFUSALS.has(status) && refuses(body, "declined", terms))
      return { kind: "declined", reason: reasonOf(body) };
    return noAnswer(reply);
  }

  async lookUp(charge: ChargeTerms): Promise<LookUpAnswer> {
    const terms = termsOf(charge);
    const { traceparent } = charge;
    const reply = await this.call({ method: "GET", url: chargeUrl(terms.key), traceparent });
    if (reply.kind !== "reply") return reply;
    const { status, body } = reply;
    if (status === 404 && isNone(body, terms.key)) return { kind: "none" };
    if (status !== 200) return noAnswer(reply);
    if (confirms(body, "pending", terms)) return { kind: "pending" };
    if (confirms(body, "declined", terms)) return { kind: "declined", reason: reasonOf(body) };
    const now = confirms(body, "captured", terms) ? whereabouts(body) : undefined;
    return now ? { kind: "captured", now } : noAnswer(reply);
  }

  async refund(request: RefundRequest): Promise<RefundAnswer> {
    const terms = await this.refundTerms(request);
    if ("kind" in terms) return terms.kind === "none" ? NO_SUCH_CHARGE : terms;
    const reply = await this.call({
      method: "POST",
      url: "/v1/refunds",
      body: terms,
      key: `refund/${terms.key}`,
      traceparent: request.traceparent,
    });
    if (reply.kind !== "reply") return reply;
    const { status, body } = reply;
    if (status === 200 && confirms(body, "refunded", terms)) return { kind: "refunded" };
    if (status === 202 && confirms(body, "pending", terms)) return { kind: "pending" };
    if (REFUSALS.has(status) && refuses(body, "refused", terms))
      return { kind: "refused", reason: reasonOf(body) };
    // A single 404 may come from a proxy. If the charge cannot be looked up either, the provider
    // itself has none.
    if (status === 404 && isNone(body, terms.key) && (await this.hasNone(terms.key)))
      return NO_SUCH_CHARGE;
    return noAnswer(reply);
  }

  async lookUpRefund(request: RefundRequest): Promise<RefundLookUpAnswer> {
    const terms = await this.refundTerms(request);
    if ("kind" in terms) return terms;
    const url = `/v1/refunds/${encodeURIComponent(terms.key)}`;
    const { traceparent } = request;
    const reply = await this.call({ method: "GET", url, traceparent });
    if (reply.kind !== "reply") return reply;
    const { status, body } = reply;
    if (status === 404 && isNone(body, terms.key)) return { kind: "none" };
    if (status !== 200) return noAnswer(reply);
    if (confirms(body, "refunded", terms)) return { kind: "refunded" };
    if (confirms(body, "pending", terms)) return { kind: "pending" };
    if (confirms(body, "refused", terms)) return { kind: "refused", reason: reasonOf(body) };
    return noAnswer(reply);
  }

  /** Requests of earlier versions do not state the amount to refund; the charge itself does. */
  private async refundTerms(
    request: RefundRequest,
  ): Promise<Terms | NoAnswer | { readonly kind: "none" }> {
    const key = chargeKey(request);
    const { amount, currency } = request;
    if (amount !== undefined && currency !== undefined) return { key, amount, currency };
    const reply = await this.call({ method: "GET", url: chargeUrl(key) });
    if (reply.kind !== "reply") return reply;
    const { status, body } = reply;
    if (status === 404 && isNone(body, key)) return { kind: "none" };
    const { status: word, key: found, amount: sum, currency: unit } = fieldsOf(body);
    const sound = status === 200 && word === "captured" && found === key;
    return sound && Number.isSafeInteger(sum) && typeof unit === "string"
      ? { key, amount: sum as number, currency: unit }
      : noAnswer(reply);
  }

  private async hasNone(key: string): Promise<boolean> {
    const reply = await this.call({ method: "GET", url: chargeUrl(key) });
    return reply.kind === "reply" && reply.status === 404 && isNone(reply.body, key);
  }

  private async call(call: Call): Promise<Reply | NoAnswer> {
    const startedMs = this.runtime.monotonicMs();
    const { runtime, kept, timeoutMs, fetcher } = this;
    const url = this.url + call.url;
    const options = { timeoutMs, fetcher, keepalive: kept.usable };
    const reply = await callProvider(runtime, { ...call, url }, options);
    if (reply.kind === "reply") kept.answered();
    else kept.unanswered();
    this.took.observe((this.runtime.monotonicMs() - startedMs) / 1_000);
    return reply;
  }
}

/** Statuses that may carry a definite no. The status alone is not enough: any proxy answers 400. */
const REFUSALS = new Set([400, 402, 422]);
const NO_SUCH_CHARGE = { kind: "refused", reason: "the provider has no such charge" } as const;
/** Length of a reason that goes into the ledger and to the buyer. */
const MAX_REASON = 200;

function termsOf(charge: ChargeTerms): Terms {
  return { key: chargeKey(charge), amount: charge.amount, currency: charge.currency };
}

function chargeUrl(key: string): string {
  return `/v1/charges/${encodeURIComponent(key)}`;
}

/** Whether the whole answer matches the request. */
function confirms(body: Body, wanted: string, terms: Terms): boolean {
  const { status, key, amount, currency } = fieldsOf(body);
  return (
    status === wanted && key === terms.key && amount === terms.amount && currency === terms.currency
  );
}

/** A refusal may omit the amount, but must not contradict it. */
function refuses(body: Body, wanted: string, terms: Terms): boolean {
  const { amount, currency } = terms;
  const complete = { kind: "json", json: { amount, currency, ...fieldsOf(body) } } as const;
  return confirms(complete, wanted, terms);
}

function isNone(body: Body, key: string): boolean {
  const fields = fieldsOf(body);
  return fields.status === "none" && fields.key === key;
}

/** undefined: malformed. */
function whereabouts(body: Body): "kept" | "refunded" | "disputed" | undefined {
  const { refunded = false, disputed = false } = fieldsOf(body);
  if (typeof refunded !== "boolean" || typeof disputed !== "boolean") return undefined;
  if (refunded) return "refunded";
  return disputed ? "disputed" : "kept";
}

function reasonOf(body: Body): string {
  const { reason } = fieldsOf(body);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: not for terminals, not for Postgres.
  const text = typeof reason === "string" ? reason.replace(/[\x00-\x1f\x7f-\x9f]/g, " ") : "";
  return text === "" ? "no reason given" : text.slice(0, MAX_REASON).toWellFormed();
}

/** Without JSON there are no fields, so nothing matches. */
function fieldsOf(body: Body): JsonObject {
  return body.kind === "json" ? body.json : {};
}

/** Why a reply settles nothing. */
function noAnswer({ status, body, retryAfterMs }: Reply): NoAnswer {
  if (status === 429) return { kind: "busy", afterMs: retryAfterMs };
  if (status === 503) return { kind: "away", why: "the provider answers 503" };
  if (status >= 300 && status < 400)
    return { kind: "unknown", why: `the provider redirects (${status})` };
  const flaw = body.kind === "flawed" ? body.flaw : "it does not match the request";
  return { kind: "unknown", why: `the provider answers ${status}: ${flaw}` };
}
