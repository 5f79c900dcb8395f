// One call to the provider, bounded in time and bytes. It returns a status and, if the body is one,
// a JSON object; provider-client.ts decides what to believe.

import { withoutSecrets } from "../../core/domain/masked.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Traceparent } from "../../core/domain/trace.ts";
import { ended } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { NoAnswer } from "./provider.ts";

export interface Call {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly body?: object;
  readonly key?: string;
  readonly traceparent?: Traceparent | undefined;
}

export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  /** From Retry-After, ms, bounded; one second without the header. */
  readonly retryAfterMs: number;
  readonly body: Body;
}

/** `flaw`: why the body is not a JSON object. */
export type Body =
  | { readonly kind: "json"; readonly json: JsonObject }
  | { readonly kind: "flawed"; readonly flaw: string };
export type JsonObject = { readonly [name: string]: unknown };

/** An answer of the contract has a few hundred bytes; more than this is left unread. */
export const MAX_ANSWER_BYTES = 65_536;
const MAX_RETRY_AFTER_MS = 60_000;
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** How a request reaches the provider; a simulator has a way of its own. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>;

export interface CallOptions {
  readonly timeoutMs: number;
  /** Whether a connection that was kept open may be used, and this one kept. */
  readonly keepalive: boolean;
  readonly fetcher?: Fetch | undefined;
}

/** Never rejects, and ends within `timeoutMs`: headers and body together. */
export async function callProvider(
  runtime: Runtime,
  call: Call,
  { timeoutMs, keepalive, fetcher = fetch }: CallOptions,
): Promise<Reply | NoAnswer> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  void ended(late); // awaited only while something is under way
  const abort = new AbortController();
  const timer = runtime.startTimer(() => {
    reject(new Late());
    abort.abort();
  }, timeoutMs);
  try {
    const response = await Promise.race([send(fetcher, call, keepalive, abort.signal), late]);
    const { status, headers } = response;
    const body = await readBody(response, late);
    // Ends what may still be open: a body that was not read completely. Needless
    // aborts took a sixth of a payment worker's time (docs/decisions/0021-charge-cost.md).
    if (body.kind !== "json") abort.abort();
    return { kind: "reply", status, body, retryAfterMs: retryAfterMs(headers, runtime.wallMs()) };
  } catch (error) {
    abort.abort();
    return lost(error);
  } finally {
    runtime.stopTimer(timer);
  }
}

/** A redirect is treated like any other answer: its target must not get the token and key. */
function send(
  fetcher: Fetch,
  call: Call,
  keepalive: boolean,
  signal: AbortSignal,
): Promise<Response> {
  const { method, url, body, key, traceparent } = call;
  const headers: Record<string, string> = {
    accept: "application/json",
    // A compressed answer could be small on the wire and huge in memory.
    "accept-encoding": "identity",
  };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key !== undefined) headers["idempotency-key"] = key;
  if (traceparent !== undefined) headers.traceparent = traceparent;
  return fetcher(url, {
    method,
    headers,
    signal,
    keepalive,
    redirect: "manual",
    decompress: false,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

class Late extends Error {}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

async function readBody(response: Response, late: Promise<never>): Promise<Body> {
  const { headers } = response;
  const type = headers.get("content-type") ?? "";
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type))
    return flawed(`its content type is '${type.slice(0, 100)}', not JSON`);
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") return flawed("it is compressed, which was not requested");
  const bytes = await readBytes(response, late);
  if (bytes === undefined) return flawed(`it is longer than ${MAX_ANSWER_BYTES} bytes`);
  try {
    const value = JSON.parse(UTF8.decode(bytes)) as unknown;
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return { kind: "json", json: value as JsonObject };
    return flawed("it is not a JSON object");
  } catch {
    return flawed("it is not JSON");
  }
}

function flawed(flaw: string): Body {
  return { kind: "flawed", flaw };
}

/** undefined: longer than an answer may be. */
async function readBytes(
  response: Response,
  late: Promise<never>,
): Promise<Uint8Array | undefined> {
  const { headers } = response;
  const length = Number(headers.get("content-length") ?? Number.NaN);
  // The usual case: a declared length cannot be exceeded, and a stream takes longer to read.
  if (length <= MAX_ANSWER_BYTES && !headers.has("transfer-encoding"))
    return new Uint8Array(await Promise.race([response.arrayBuffer(), late]));
  const reader = response.body?.getReader();
  if (!reader) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await Promise.race([reader.read(), late]);
    if (done) return Buffer.concat(chunks, size);
    size += value.byteLength;
    if (size > MAX_ANSWER_BYTES) return undefined;
    chunks.push(value);
  }
}

/** Errors of a connection that was never made: nothing was sent. */
const NEVER_SENT: Readonly<Record<string, string>> = {
  ConnectionRefused: "connection refused",
  ECONNREFUSED: "connection refused",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name is not known",
};

function lost(error: unknown): NoAnswer {
  if (error instanceof Late) return { kind: "unknown", why: "no answer in time" };
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const cause = NEVER_SENT[code];
  return cause !== undefined
    ? { kind: "away", why: `the provider cannot be reached: ${cause}` }
    : { kind: "unknown", why: withoutSecrets(messageOf(error)) };
}

/** Seconds or a date, as in RFC 9110. */
function retryAfterMs(headers: Headers, nowMs: number): number {
  const text = headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : DEFAULT_RETRY_AFTER_MS;
}
