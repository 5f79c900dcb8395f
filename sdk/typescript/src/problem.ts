// What can go wrong, by what the caller must do. Refused: correct the request. Unfinished: check
// its effect.

/** Every code a gateway uses (RFC 9457 with `code`). Newer gateways may add some. */
export const PROBLEM_CODES = [
  "bad_host",
  "malformed",
  "not_an_object",
  "duplicate_key",
  "too_deep",
  "no_token",
  "bad_token",
  "token_expired",
  "forbidden",
  "foreign_origin",
  "not_found",
  "not_known_yet",
  "method_not_allowed",
  "conflict",
  "too_late",
  "lease_ended",
  "too_large",
  "unsupported_type",
  "unsupported_encoding",
  "unknown_field",
  "missing_field",
  "wrong_type",
  "out_of_range",
  "duplicate_item",
  "unknown_sale",
  "unknown_item",
  "unknown_currency",
  "stale_id",
  "future_id",
  "too_many_cancels",
  "too_many_claims",
  "sold_out",
  "rate_limited",
  "credit",
  "internal",
  "shed",
  "unconfirmed",
  "unavailable",
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export interface Estimate {
  /** How many accepted orders wait before this one. */
  readonly position?: number;
  readonly seconds: number;
}

/** A gateway's answer other than success. `http_<status>`: not from Sluice, such as a proxy's. */
export interface Problem {
  readonly code: ProblemCode | `http_${number}` | (string & {});
  readonly status: number;
  readonly title: string;
  /** The member, parameter, header or claim at fault, such as `lines[2].qty`. */
  readonly field?: string;
  readonly detail?: string;
  readonly estimate?: Estimate;
  /** When to try again, if the gateway says so. */
  readonly retryAfterMs?: number;
}

export class SluiceError extends Error {
  override name = "SluiceError";
}

/** The request is wrong as it stands, and had no effect. Sending it again would not help. */
export class Refused extends SluiceError {
  override name = "Refused";
  readonly effect = "none";
  constructor(readonly problem: Problem) {
    super(textOf(problem));
  }
  get code(): Problem["code"] {
    return this.problem.code;
  }
}

const ENDINGS = {
  deadline: "time is up",
  aborted: "aborted",
  closed: "closed",
  refused: "refused after an attempt without an answer",
};
export type Ending = keyof typeof ENDINGS;

/** Time is up, or the caller's signal aborted. */
export class Unfinished extends SluiceError {
  override name = "Unfinished";
  constructor(
    what: string,
    readonly reason: Ending,
    /**
     * `unknown`: the request may have had an effect. Send the same again to find out. An order
     * whose events ended early was placed, and is still being processed: that is `unknown` too.
     */
    readonly effect: "none" | "unknown",
    /** The last answer, if there was one. */
    readonly problem?: Problem,
    /** The order it was about. */
    readonly orderId?: string,
    cause?: unknown,
  ) {
    super(unfinishedText(what, reason, effect, problem, cause), { cause });
  }
}

function unfinishedText(
  what: string,
  reason: Ending,
  effect: "none" | "unknown",
  problem: Problem | undefined,
  cause: unknown,
): string {
  const end = ENDINGS[reason];
  const why = cause instanceof Error ? cause.message : undefined;
  const last = problem ? textOf(problem) : why;
  const known = effect === "none" ? "it had no effect" : "its result is unknown";
  return `${what}: ${end}; ${known}${last === undefined ? "" : ` (${last})`}`;
}

function textOf({ code, title, field, detail }: Problem): string {
  const where = field === undefined ? "" : ` (${field})`;
  return `${code}${where}: ${title}${detail === undefined ? "" : `: ${detail}`}`;
}

type Json = Readonly<Record<string, unknown>>;
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A problem from a body or a frame; whatever else a proxy may answer becomes one as well. */
export function readProblem(body: unknown, status: number, retryAfterMs?: number): Problem {
  const more = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (!isObject(body) || typeof body.code !== "string")
    return { code: `http_${status}`, status, title: `HTTP status ${status}`, ...more };
  const { code, title, field, detail, estimate } = body;
  return {
    code,
    status,
    title: typeof title === "string" ? title : code,
    ...(typeof field === "string" ? { field } : {}),
    ...(typeof detail === "string" ? { detail } : {}),
    ...(isObject(estimate) && typeof estimate.seconds === "number"
      ? { estimate: estimate as unknown as Estimate }
      : {}),
    ...more,
  };
}
