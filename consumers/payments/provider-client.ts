// The payment provider, over HTTP. Every answer is a value; what cannot be told apart from a lost answer is `unknown`.

import { type ChargeRequest, chargeKey, type RefundRequest } from "../../core/domain/charge.ts";
import type { Traceparent } from "../../core/domain/trace.ts";
import { Histogram } from "../../core/histogram.ts";

/** `busy`: not served, ask again after that long. `away`: the provider cannot be reached at all. Both, and `unknown`, may or may not have charged. */
export type ChargeAnswer =
  | { readonly kind: "captured" }
  | { readonly kind: "declined"; readonly reason: string }
  | { readonly kind: "pending" }
  | { readonly kind: "busy"; readonly afterMs: number }
  | { readonly kind: "away"; readonly why: string }
  | { readonly kind: "unknown"; readonly why: string };

/** `none`: the provider has never taken this key. */
export type LookUpAnswer = "captured" | "declined" | "pending" | "none" | "unknown";

/** What Sluice asks of a provider. Charges and refunds with a key that was used before do nothing new. */
export interface PaymentProvider {
  charge(request: ChargeRequest): Promise<ChargeAnswer>;
  lookUp(key: string): Promise<LookUpAnswer>;
  /** `nothing`: there is no capture to refund. */
  refund(request: RefundRequest): Promise<"refunded" | "nothing" | "unknown">;
}

const MAX_RETRY_AFTER_MS = 60_000;
const DEFAULT_RETRY_AFTER_MS = 1_000;

export class HttpProvider implements PaymentProvider {
  /** Seconds, by calls. */
  readonly took = new Histogram();

  constructor(
    private readonly url: string,
    /** A call without an answer for this long is `unknown`. */
    private readonly timeoutMs: number,
  ) {}

  async charge(request: ChargeRequest): Promise<ChargeAnswer> {
    const { id, amount, currency, payment } = request;
    const response = await this.call(
      "POST",
      "/v1/charges",
      { order: id, amount, currency, payment },
      chargeKey(request),
      request.traceparent,
    );
    if (response instanceof Error) return lostCall(response);
    switch (response.status) {
      case 200:
        return { kind: "captured" };
      case 202:
        return { kind: "pending" };
      case 429:
        return { kind: "busy", afterMs: retryAfterMs(response) };
      case 503:
        return { kind: "away", why: "the provider answers 503" };
      case 400:
      case 402:
      case 422:
        return { kind: "declined", reason: `the provider answers ${response.status}` };
      default:
        return { kind: "unknown", why: `the provider answers ${response.status}` };
    }
  }

  async lookUp(key: string): Promise<LookUpAnswer> {
    const response = await this.call("GET", `/v1/charges/${encodeURIComponent(key)}`);
    if (response instanceof Error) return "unknown";
    if (response.status === 404) return "none";
    if (response.status !== 200) return "unknown";
    const { status } = (await response.json().catch(() => ({}))) as { status?: string };
    return status === "captured" || status === "declined" || status === "pending"
      ? status
      : "unknown";
  }

  async refund(request: RefundRequest): Promise<"refunded" | "nothing" | "unknown"> {
    const key = chargeKey(request);
    const response = await this.call(
      "POST",
      "/v1/refunds",
      { key },
      `refund/${key}`,
      request.traceparent,
    );
    if (response instanceof Error) return "unknown";
    if (response.status === 200) return "refunded";
    return response.status === 404 || response.status === 409 ? "nothing" : "unknown";
  }

  private async call(
    method: string,
    path: string,
    body?: unknown,
    key?: string,
    trace?: Traceparent,
  ): Promise<Response | Error> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (key !== undefined) headers["idempotency-key"] = key;
    if (trace !== undefined) headers.traceparent = trace;
    const startedMs = performance.now();
    try {
      const response = await fetch(this.url + path, {
        method,
        signal: AbortSignal.timeout(this.timeoutMs),
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      // Read to the end: an answer cut short is a lost one, and the connection is free again.
      const text = await response.text();
      return new Response(text, { status: response.status, headers: response.headers });
    } catch (error) {
      return error as Error;
    } finally {
      this.took.observe((performance.now() - startedMs) / 1_000);
    }
  }
}

/** A connection refused has charged nobody; anything else may have. */
function lostCall(error: Error): ChargeAnswer {
  const { code } = error as { code?: string };
  if (code === "ConnectionRefused" || code === "ECONNREFUSED")
    return { kind: "away", why: "the provider refuses connections" };
  return {
    kind: "unknown",
    why: error.name === "TimeoutError" ? "no answer in time" : error.message,
  };
}

/** Seconds or a date, as RFC 9110 has it. */
function retryAfterMs(response: Response): number {
  const text = response.headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : DEFAULT_RETRY_AFTER_MS;
}
