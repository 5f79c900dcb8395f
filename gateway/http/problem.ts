// Every refusal the gateway can give, as one closed table, and its form on the wire (RFC 9457,
// application/problem+json).

const PROBLEMS = {
  malformed: [400, "Not a JSON document"],
  not_an_object: [400, "Not a JSON object"],
  duplicate_key: [400, "A member appears twice"],
  too_deep: [400, "Nested too deeply"],
  no_token: [401, "A bearer token is required"],
  bad_token: [401, "The token is not acceptable"],
  token_expired: [401, "The token has expired"],
  forbidden: [403, "Not allowed with this token"],
  foreign_origin: [403, "This origin is not allowed"],
  not_found: [404, "Not found"],
  not_known_yet: [404, "Not known, or not known yet"],
  method_not_allowed: [405, "Method not allowed"],
  conflict: [409, "In conflict with what is there"],
  too_late: [409, "Too late to be cancelled"],
  too_large: [413, "Too large"],
  unsupported_type: [415, "Unsupported content type"],
  unknown_field: [422, "Unknown field"],
  missing_field: [422, "A field is missing"],
  wrong_type: [422, "Wrong type"],
  out_of_range: [422, "Not an acceptable value"],
  duplicate_item: [422, "The same item twice"],
  unknown_sale: [422, "Unknown sale"],
  unknown_item: [422, "Unknown item"],
  unknown_currency: [422, "Unknown currency"],
  stale_id: [422, "The order id is too old"],
  future_id: [422, "The order id lies in the future"],
  too_many_cancels: [429, "Too many cancels of orders that have not come yet"],
  sold_out: [409, "Sold out: not taken in"],
  rate_limited: [429, "Too many orders"],
  credit: [429, "More orders outstanding than granted"],
  internal: [500, "An error of the gateway"],
  shed: [503, "Not taken in: too much is waiting"],
  unconfirmed: [503, "Not confirmed: it may have been taken in"],
  unavailable: [503, "Not available now"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];
export const statusOf = (code: ProblemCode): number => PROBLEMS[code][0];
export const titleOf = (code: ProblemCode): string => PROBLEMS[code][1];

/** Refusals of which there are as many as orders. */
const BRIEF: ReadonlySet<string> = new Set(["shed", "rate_limited", "sold_out"]);

/**
 * Seconds after which trying again makes sense: a full queue drains, an undecided order is decided,
 * within about this long.
 */
const RETRY_AFTER_S = "1";
/** Names from outside are cut to this in answers. */
const MAX_ECHO = 64;

/**
 * An immutable refusal: its text and headers are made once, so that sending it again costs next to
 * nothing.
 */
export class Problem {
  /** The body, JSON text. */
  readonly json: string;
  /** The same for a WebSocket: of those that a flood meets, only what a client acts on. */
  readonly brief: string;
  private readonly init: ResponseInit;

  constructor(
    readonly code: ProblemCode,
    /** The member or header at fault. */
    readonly field?: string,
    readonly detail?: string,
    extraHeaders?: Record<string, string>,
    /** More members of the body. */
    extra?: Record<string, unknown>,
  ) {
    const status = statusOf(code);
    this.json = JSON.stringify({
      type: `urn:sluice:problem:${code}`,
      title: titleOf(code),
      status,
      code,
      field,
      detail,
      ...extra,
    });
    this.brief = BRIEF.has(code) ? JSON.stringify({ code, status, field, ...extra }) : this.json;
    this.init = { status, headers: { ...headersFor(status, code), ...extraHeaders } };
  }

  get status(): number {
    return statusOf(this.code);
  }

  response(more?: Record<string, string>): Response {
    if (!more) return new Response(this.json, this.init);
    return new Response(this.json, {
      ...this.init,
      headers: { ...(this.init.headers as Record<string, string>), ...more },
    });
  }
}

/**
 * The problem for a field known beforehand; made once for each, and there are few. Never with a
 * name that a client chose.
 */
export function problem(code: ProblemCode, field?: string, detail?: string): Problem {
  const key = `${code} ${field} ${detail}`;
  let known = shared.get(key);
  if (!known) {
    known = new Problem(code, field, detail);
    shared.set(key, known);
  }
  return known;
}

const shared = new Map<string, Problem>();

/**
 * Not taken in: to be sent again after so many seconds. Made once for each: a refusal allocates
 * nothing.
 */
export function shedFor(seconds: number): Problem {
  const s = Math.max(1, seconds);
  let known = shedBySeconds[s];
  if (!known) {
    known = new Problem(
      "shed",
      undefined,
      "no effect: send it again later",
      { "retry-after": String(s) },
      { estimate: { seconds: s } },
    );
    shedBySeconds[s] = known;
  }
  return known;
}
const shedBySeconds: (Problem | undefined)[] = [];

/** … after one to three seconds: those turned away together do not come back together. */
export function shedSoon(random: () => number): Problem {
  return shedFor(1 + Math.floor(random() * SOON_S));
}
const SOON_S = 3;

/** A name the client chose, fit to be shown to it. */
export function echo(name: string): string {
  return name.length > MAX_ECHO ? `${name.slice(0, MAX_ECHO)}…` : name;
}

/** Thrown where an exception is the plainest way out: the operator's calls, never order intake. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.code);
  }
}

function headersFor(status: number, code: ProblemCode): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
  };
  if (status === 401)
    headers["www-authenticate"] = code === "no_token" ? "Bearer" : 'Bearer error="invalid_token"';
  if (status === 429 || status === 503 || code === "not_known_yet")
    headers["retry-after"] = RETRY_AFTER_S;
  return headers;
}
