// HTTP calls to one of several gateways, with the caller's token. A gateway that does not answer is
// followed by the next; the same one is kept while it answers.
import { monotonicMs, onAbort } from "./platform.ts";
import { isObject, type Problem, readProblem } from "./problem.ts";
import type { ServerClock } from "./server-clock.ts";
import { type Answer, within } from "./settle.ts";

/** A token, or what provides one: called again when the gateway no longer accepts the last. */
export type Token = string | (() => string | Promise<string>);

export interface GatewaysOptions {
  /** Addresses, nearest first: `https://eu.shop.example`. */
  readonly gateways: readonly string[] | string;
  readonly token: Token;
  readonly clock: ServerClock;
  /** How long one attempt may take. */
  readonly attemptMs: number;
  readonly fetch: typeof fetch;
}

export interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** It needs no token, so none is sent: a browser then asks no permission first. */
  readonly anonymous?: boolean;
  /** If it takes longer than other calls: a long poll. */
  readonly attemptMs?: number;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
}

/** Answers are far smaller; more is not read. */
const MAX_BODY_CHARS = 8 * 1024 * 1024;

export class Gateways {
  private readonly urls: readonly string[];
  private at = 0;
  private token: Promise<string> | undefined;

  constructor(private readonly options: GatewaysOptions) {
    const { gateways } = options;
    const addresses = typeof gateways === "string" ? [gateways] : gateways;
    if (!Array.isArray(addresses) || addresses.length === 0)
      throw new TypeError("gateways: at least one address");
    this.urls = addresses.map(checkUrl);
  }

  /** The address of the present gateway, for a WebSocket or a stream. */
  get url(): string {
    return this.urls[this.at] as string;
  }

  /** The gateway at this address did not answer. */
  failed(url: string): void {
    if (url === this.url) this.at = (this.at + 1) % this.urls.length;
  }

  bearer(): Promise<string> {
    const { token } = this.options;
    this.token ??= Promise.resolve(typeof token === "string" ? token : token()).catch((error) => {
      this.token = undefined;
      throw error;
    });
    return this.token;
  }

  /** The gateway does not accept the token: another is asked for. False if there is no other. */
  renewToken(): boolean {
    this.token = undefined;
    return typeof this.options.token === "function";
  }

  /** One attempt. `read` makes a value from the body of a success. */
  async attempt<T>(
    call: Call,
    signal: AbortSignal,
    read: (reply: Reply) => T | undefined,
  ): Promise<Answer<T>> {
    const { url } = this;
    const first = await this.once(url, call, signal, read);
    const expired = first.kind === "refused" && first.problem.status === 401;
    const answer = expired && this.renewToken() ? await this.once(url, call, signal, read) : first;
    const away = answer.kind === "later" && answer.problem.code === "unavailable";
    if (answer.kind === "unknown" || away) this.failed(url);
    return answer;
  }

  /** A response whose body is read as it comes. `signal` ends it. */
  async stream(path: string, headers: Record<string, string>, signal: AbortSignal) {
    const { url } = this;
    const sentAtMs = monotonicMs();
    const response = await this.options.fetch(url + path, {
      headers: { authorization: `Bearer ${await this.bearer()}`, ...headers },
      signal,
      ...FETCHING,
    });
    this.options.clock.learn(response.headers.get("date"), sentAtMs);
    return { response, url };
  }

  private async once<T>(
    url: string,
    call: Call,
    signal: AbortSignal,
    read: (reply: Reply) => T | undefined,
  ): Promise<Answer<T>> {
    let sent = false;
    try {
      return await within(call.attemptMs ?? this.options.attemptMs, signal, async (ends) => {
        const bearer = call.anonymous ? undefined : await orAbort(this.bearer(), ends);
        sent = true;
        return this.send(url, call, bearer, ends, read);
      });
    } catch (error) {
      if (sent) return { kind: "unknown", error };
      throw error;
    }
  }

  private async send<T>(
    url: string,
    { method, path, query, body, headers }: Call,
    bearer: string | undefined,
    signal: AbortSignal,
    read: (reply: Reply) => T | undefined,
  ): Promise<Answer<T>> {
    const sentAtMs = monotonicMs();
    const response = await this.options.fetch(url + path + queryText(query), {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
      ...FETCHING,
    });
    this.options.clock.learn(response.headers.get("date"), sentAtMs);
    const { status } = response;
    const value = await jsonOf(response);
    if (response.ok) {
      const result = read({ status, body: value });
      return result === undefined
        ? { kind: "unknown", problem: readProblem(undefined, status) }
        : { kind: "done", value: result };
    }
    return judge(readProblem(value, status, retryAfterMs(response)));
  }
}

/** Cookies are not sent, and a redirect could carry the token elsewhere. */
const FETCHING = { redirect: "error", credentials: "omit", cache: "no-store" } as const;

/** What a refusal means for the request it answers (docs/http.md, Refusals). */
export function judge(problem: Problem): Extract<Answer<never>, { problem?: Problem }> {
  switch (problem.code) {
    case "shed":
    case "rate_limited":
    case "credit":
    case "unavailable":
    case "too_many_cancels":
    case "not_known_yet":
      return { kind: "later", problem };
    case "unconfirmed":
    case "internal":
      return { kind: "unknown", problem };
  }
  // A proxy's 429 or 408 came before the gateway; its 5xx may have come after.
  if (problem.status === 429) return { kind: "later", problem };
  if (problem.status >= 500 || problem.status === 408) return { kind: "unknown", problem };
  return { kind: "refused", problem };
}

async function jsonOf(response: Response): Promise<unknown> {
  const length = Number(response.headers.get("content-length") ?? 0);
  if (length > MAX_BODY_CHARS) throw new Error(`an answer of ${length} bytes`);
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a proxy's page: the status says what it means
  }
}

function retryAfterMs(response: Response): number | undefined {
  const text = response.headers.get("retry-after");
  return text !== null && /^\d{1,6}$/.test(text) ? Number(text) * 1_000 : undefined;
}

function queryText(query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}

function checkUrl(text: string, i: number): string {
  const at = `gateways[${i}]`;
  if (!URL.canParse(text)) throw new TypeError(`${at}: not an address: ${text}`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new TypeError(`${at}: http:// or https://, not ${url.protocol}`);
  if (url.search || url.hash || url.username)
    throw new TypeError(`${at}: without a user, a query or a fragment`);
  return url.href.replace(/\/$/, "");
}

/** A provider of tokens may hang: waits for it only until the signal aborts. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(new Error("aborted, or out of time"));
    if (signal.aborted) return end();
    promise.then(resolve, reject).finally(onAbort(signal, end));
  });
}

export { isObject };
