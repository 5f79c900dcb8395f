// Every refusal the gateway can give, as one closed table, and its wire format (RFC 9457,
// application/problem+json).

const PROBLEMS = {
  bad_host: [400, "Not exactly one host"],
  malformed: [400, "Not a JSON document"],
  not_an_object: [400, "Not a JSON object"],
  duplicate_key: [400, "Duplicate member"],
  too_deep: [400, "Nested too deeply"],
  no_token: [401, "A bearer token is required"],
  bad_token: [401, "Invalid token"],
  token_expired: [401, "The token has expired"],
  forbidden: [403, "Not allowed with this token"],
  foreign_origin: [403, "This origin is not allowed"],
  not_found: [404, "Not found"],
  not_known_yet: [404, "Not known, or not known yet"],
  method_not_allowed: [405, "Method not allowed"],
  conflict: [409, "Conflicts with the current state"],
  too_late: [409, "Too late to cancel"],
  lease_ended: [409, "The lease has ended"],
  too_large: [413, "Too large"],
  unsupported_type: [415, "Unsupported content type"],
  unsupported_encoding: [415, "Unsupported content encoding"],
  unknown_field: [422, "Unknown field"],
  missing_field: [422, "Missing field"],
  wrong_type: [422, "Wrong type"],
  out_of_range: [422, "Invalid value"],
  duplicate_item: [422, "Duplicate item"],
  unknown_sale: [422, "Unknown sale"],
  unknown_item: [422, "Unknown item"],
  unknown_currency: [422, "Unknown currency"],
  stale_id: [422, "The order id is too old"],
  future_id: [422, "The order id is in the future"],
  too_many_cancels: [429, "Too many cancels of orders that have not arrived yet"],
  too_many_claims: [429, "Too many claims with parts that are not reported"],
  sold_out: [409, "Sold out: not accepted"],
  rate_limited: [429, "Too many orders"],
  credit: [429, "More outstanding orders than granted"],
  internal: [500, "Internal error"],
  shed: [503, "Not accepted: too many orders are waiting"],
  unconfirmed: [503, "Not confirmed: it may have been accepted"],
  unavailable: [503, "Temporarily unavailable"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof PROBLEMS;
export const PROBLEM_CODES = Object.keys(PROBLEMS) as ProblemCode[];
export const statusOf = (code: ProblemCode): number => PROBLEMS[code][0];
export const titleOf = (code: ProblemCode): string => PROBLEMS[code][1];

/** Refusals that may be as frequent as orders. */
const BRIEF: ReadonlySet<string> = new Set(["shed", "rate_limited", "sold_out"]);

/**
 * When a retry makes sense, in seconds: within about this long a full queue drains and an undecided
 * order is decided.
 */
const RETRY_AFTER_S = "1";
/** Names chosen by a client are cut to this length in answers. */
const MAX_ECHO = 64;

/**
 * An immutable refusal. Its text and headers are built once, so sending it costs next to nothing.
 */
export class Problem {
  /** The body, JSON text. */
  readonly json: string;
  /** The short form for a WebSocket: in a flood, only what a client acts on. */
  readonly brief: string;
  private readonly init: ResponseInit;

  constructor(
    readonly code: ProblemCode,
    /** The offending member or header. */
    readonly field?: string,
    readonly detail?: string,
    extraHeaders?: Record<string, string>,
    /** Additional members of the body. */
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
 * The problem for a field known in advance, cached. Never call it with a name that a client chose.
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

/** Shed: to be sent again after this many seconds. Cached, so a refusal allocates nothing. */
export function shedFor(seconds: number, stalled = false): Problem {
  const s = Math.max(1, seconds);
  const cached = stalled ? stalledBySeconds : shedBySeconds;
  let known = cached[s];
  if (!known) {
    known = new Problem(
      "shed",
      undefined,
      stalled
        ? "no effect: nothing is decided at present, and too many orders wait for that already"
        : "no effect: send it again later",
      { "retry-after": String(s) },
      { estimate: { seconds: s, ...(stalled ? { stalled } : {}) } },
    );
    cached[s] = known;
  }
  return known;
}
const shedBySeconds: (Problem | undefined)[] = [];
const stalledBySeconds: (Problem | undefined)[] = [];

/** … after one to three seconds, so that clients shed together do not return together. */
export function shedSoon(random: () => number): Problem {
  return shedFor(1 + Math.floor(random() * SOON_S));
}
const SOON_S = 3;

/** Why this gateway can accept no order at present, however few wait. */
const AWAY = {
  broker: "no effect: no region's broker takes orders at present; send it again later",
  closing: "no effect: this gateway is closing; send it again",
} as const;

/** Not accepted, though not for lack of room; to be sent again as after shedSoon(). */
export function awaySoon(why: keyof typeof AWAY, random: () => number): Problem {
  const seconds = 1 + Math.floor(random() * SOON_S);
  const cached = awayBySeconds[why];
  let known = cached[seconds];
  if (!known) {
    const retryAfter = { "retry-after": String(seconds) };
    known = new Problem("unavailable", undefined, AWAY[why], retryAfter, { estimate: { seconds } });
    cached[seconds] = known;
  }
  return known;
}
const awayBySeconds: Record<keyof typeof AWAY, (Problem | undefined)[]> = {
  broker: [],
  closing: [],
};

/** A client-chosen name, shortened for its own answer. */
export function echo(name: string): string {
  return name.length > MAX_ECHO ? `${name.slice(0, MAX_ECHO)}…` : name;
}

/** Thrown where an exception is the simplest way out: in operator calls, never in order intake. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.code);
  }
}

/** On answers that are one caller's, or soon out of date: no cache keeps, no page runs them. */
export const PRIVATE = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
} as const;

function headersFor(status: number, code: ProblemCode): Record<string, string> {
  const headers: Record<string, string> = {
    "content-type": "application/problem+json",
    ...PRIVATE,
  };
  if (code === "unsupported_encoding") headers["accept-encoding"] = "identity";
  if (status === 401)
    headers["www-authenticate"] = code === "no_token" ? "Bearer" : 'Bearer error="invalid_token"';
  if (status === 429 || status === 503 || code === "not_known_yet")
    headers["retry-after"] = RETRY_AFTER_S;
  return headers;
}
