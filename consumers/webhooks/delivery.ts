// One delivery: a signed POST to an endpoint, bounded in time. Only a 2xx status counts as
// received. Redirects are not followed, and the body of an answer is ignored.
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { type FeedEvent, showEvent } from "../../core/domain/feed-event.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { flawOfUrl, isPrivateAddress } from "../../core/domain/webhook-endpoint.ts";
import { signWebhook } from "../../core/domain/webhook-signature.ts";
import { ended } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

export interface Answer {
  readonly received: boolean;
  /** 0: there was none. */
  readonly status: number;
  /** Empty if it was received. */
  readonly error: string;
  readonly tookMs: number;
  /** From Retry-After, ms; 0 without the header. */
  readonly notBeforeMs: number;
}

export interface DeliveryOptions {
  readonly runtime: Runtime;
  /** Of the signature, Unix ms. Receivers refuse one that is minutes off. */
  readonly now: () => number;
  readonly timeoutMs: number;
  /** Whether endpoints may have private addresses, and use http. */
  readonly privateAllowed: boolean;
  /** Whether a connection that was kept open may be used. Default: yes. */
  readonly keepalive?: boolean;
  /** The addresses of a host; tests give their own. */
  readonly addressesOf?: (host: string) => Promise<readonly string[]>;
}

const MAX_ERROR = 200;
/** A longer answer is cut off. */
const MAX_BODY_BYTES = 65_536;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Never rejects, and ends within the timeout, or when `stopped` aborts. */
export async function deliver(
  options: DeliveryOptions,
  to: { readonly url: string; readonly secret: string },
  event: FeedEvent,
  stopped: AbortSignal,
): Promise<Answer> {
  const { runtime, now, timeoutMs, keepalive = true } = options;
  const startedMs = runtime.monotonicMs();
  const { promise: over, reject } = Promise.withResolvers<never>();
  void ended(over); // awaited only while something is under way
  const abort = new AbortController();
  const end = (why: string) => {
    reject(new Error(why));
    abort.abort();
  };
  const stop = () => end("the sender stops");
  const timer = runtime.startTimer(() => end(`no answer within ${timeoutMs} ms`), timeoutMs);
  stopped.addEventListener("abort", stop);
  let answer: Omit<Answer, "tookMs">;
  try {
    const place = await Promise.race([placeOf(options, to.url), over]);
    const response = await Promise.race([
      fetch(place.url, {
        ...requestOf(now(), place, to.secret, event, abort.signal),
        keepalive,
      }),
      over,
    ]);
    answer = answerOf(response, now());
    if (!(await finished(response, over))) abort.abort();
  } catch (error) {
    abort.abort();
    const text = messageOf(error).slice(0, MAX_ERROR);
    answer = { received: false, status: 0, error: text, notBeforeMs: 0 };
  } finally {
    runtime.stopTimer(timer);
    stopped.removeEventListener("abort", stop);
  }
  return { ...answer, tookMs: Math.round(runtime.monotonicMs() - startedMs) };
}

/** Whether the answer's body is over, so that the connection can be used again. */
async function finished(response: Response, over: Promise<never>): Promise<boolean> {
  const { headers } = response;
  const length = Number(headers.get("content-length") ?? Number.NaN);
  if (response.body === null) return true;
  if (!(length <= MAX_BODY_BYTES) || headers.has("transfer-encoding")) return false;
  const read = Promise.race([response.arrayBuffer(), over]);
  return read.then(
    () => true,
    () => false,
  );
}

interface Place {
  readonly url: string;
  /** The host's name, if `url` has its address instead. */
  readonly host?: string;
}

/**
 * Where an endpoint is. Unless private addresses are allowed, a host is looked up here, and the
 * request goes to the address that was checked: another look-up could find another one.
 */
async function placeOf(options: DeliveryOptions, text: string): Promise<Place> {
  const flaw = flawOfUrl(text, options.privateAllowed);
  if (flaw !== undefined) throw new Error(`the endpoint needs ${flaw}`);
  const url = new URL(text);
  if (options.privateAllowed || isIP(url.hostname.replace(/^\[|\]$/g, ""))) return { url: text };
  const addresses = await (options.addressesOf ?? resolved)(url.hostname);
  const [first] = addresses;
  if (first === undefined) throw new Error(`${url.hostname} has no address`);
  if (addresses.some(isPrivateAddress))
    throw new Error(`${url.hostname} has a private address (see SLUICE_WEBHOOK_PRIVATE)`);
  const { host } = url;
  url.hostname = isIP(first) === 6 ? `[${first}]` : first;
  return { url: url.href, host };
}

async function resolved(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function requestOf(
  nowMs: number,
  { host }: Place,
  secret: string,
  event: FeedEvent,
  signal: AbortSignal,
): BunFetchRequestInit {
  const body = JSON.stringify(showEvent(event, (atMs) => new Date(atMs).toISOString()));
  const headers = {
    ...signWebhook(event.id, body, [secret], nowMs),
    "content-type": "application/cloudevents+json; charset=utf-8",
    "accept-encoding": "identity",
    "user-agent": "Sluice-Webhooks",
  };
  return {
    method: "POST",
    body,
    signal,
    redirect: "manual",
    decompress: false,
    headers: host === undefined ? headers : { ...headers, host },
    ...(host === undefined ? {} : { tls: { serverName: host.replace(/:\d+$/, "") } }),
  } as BunFetchRequestInit;
}

function answerOf({ status, headers }: Response, nowMs: number): Omit<Answer, "tookMs"> {
  if (status >= 200 && status < 300) return { received: true, status, error: "", notBeforeMs: 0 };
  const after = headers.get("retry-after") ?? "";
  const ms = /^\d{1,9}$/.test(after) ? Number(after) * 1_000 : Date.parse(after) - nowMs;
  const notBeforeMs = ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : 0;
  const redirect = status >= 300 && status < 400 ? ": redirects are not followed" : "";
  return { received: false, status, error: `it answered ${status}${redirect}`, notBeforeMs };
}
