// Sends one request until its result is known, or until the deadline.
//
//  1. The same request is sent each time, so repeats change nothing.
//  2. Once an attempt may have had an effect, a later refusal is no proof that there is none: the
//     result is looked up instead, and stays unknown if it cannot be found.
//  3. Each attempt and each wait ends by the deadline.
import { monotonicMs, onAbort, random, sleep, startTimer, stopTimer } from "./platform.ts";
import { type Problem, Refused, Unfinished } from "./problem.ts";

export type Answer<T> =
  | { readonly kind: "done"; readonly value: T }
  /** No effect, and the same request would be refused again. */
  | { readonly kind: "refused"; readonly problem: Problem }
  /** No effect; the same request may succeed later. */
  | { readonly kind: "later"; readonly problem: Problem }
  /** It may have had an effect. */
  | { readonly kind: "unknown"; readonly problem?: Problem; readonly error?: unknown };

export interface Waiting {
  /** How long all attempts together may take. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Settling<T> extends Waiting {
  /** For messages: "order 0192…". */
  readonly what: string;
  readonly orderId?: string;
  readonly attempt: (signal: AbortSignal, earlier: "none" | "unknown") => Promise<Answer<T>>;
  /** Whether an earlier run may have sent the same: `none` unless said. */
  readonly earlier?: "none" | "unknown";
  /** Asks for the result of earlier attempts. */
  readonly lookUp?: (signal: AbortSignal) => Promise<Answer<T>>;
}

export const DEADLINE_MS = 30_000;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 3_000;
/** Retry-After has whole seconds: this spreads clients within one. */
const SPREAD_MS = 1_000;

export async function settle<T>(settling: Settling<T>): Promise<T> {
  const until = new Deadline(settling);
  let attempt = settling.attempt;
  let effect = settling.earlier ?? "none";
  let problem: Problem | undefined;
  let error: unknown;
  try {
    for (let n = 0; ; n++) {
      if (until.reason) break;
      const answer = await attempt(until.signal, effect);
      if (answer.kind === "done") return answer.value;
      if (answer.kind === "unknown") effect = "unknown";
      problem = answer.problem ?? problem;
      error = answer.kind === "unknown" ? (answer.error ?? error) : error;
      if (answer.kind === "refused") {
        if (effect === "none") throw new Refused(answer.problem);
        if (!settling.lookUp)
          throw new Unfinished(settling.what, "refused", effect, problem, settling.orderId, error);
        attempt = settling.lookUp;
      }
      const waitMs = waitOf(n, answer.problem);
      // No later attempt can be made in time, and nothing is in doubt.
      if (effect === "none" && waitMs > until.leftMs) break;
      await sleep(Math.min(waitMs, until.leftMs), until.signal);
    }
    const reason = until.reason ?? "deadline";
    throw new Unfinished(settling.what, reason, effect, problem, settling.orderId, error);
  } finally {
    until.end();
  }
}

/** As the gateway asks, or longer each time; spread, so that clients do not return together. */
export function waitOf(n: number, problem?: Problem): number {
  if (problem?.retryAfterMs !== undefined) return problem.retryAfterMs + random() * SPREAD_MS;
  return Math.min(FIRST_WAIT_MS * 2 ** Math.min(n, 10), LONGEST_WAIT_MS) * (0.5 + random() / 2);
}

/**
 * A time by which everything must have ended, with a signal for whatever is still under way then.
 */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly atMs: number;
  private readonly timer: ReturnType<typeof startTimer>;
  private ended: "deadline" | "aborted" | "closed" | undefined;
  /** Ends the wait for the caller's signal. */
  private readonly forget: () => void = () => undefined;

  constructor(waiting: Waiting) {
    const { deadlineMs = DEADLINE_MS, signal } = waiting;
    if (!(deadlineMs > 0)) throw new RangeError("deadlineMs must be a number above 0");
    this.atMs = monotonicMs() + deadlineMs;
    this.timer = startTimer(() => this.stop("deadline"), deadlineMs);
    if (signal?.aborted) this.stop("aborted");
    else this.forget = onAbort(signal, () => this.stop("aborted"));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get leftMs(): number {
    return Math.max(0, this.atMs - monotonicMs());
  }

  /** Why it is over, if it is. */
  get reason(): "deadline" | "aborted" | "closed" | undefined {
    if (this.leftMs === 0) this.stop("deadline");
    return this.ended;
  }

  end(): void {
    stopTimer(this.timer);
    this.forget();
  }

  stop(reason: "deadline" | "aborted" | "closed"): void {
    if (this.ended) return;
    this.ended = reason;
    this.controller.abort();
  }
}

/** A signal that aborts with another one, or after some time. */
export async function within<T>(
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline({ deadlineMs: ms, signal });
  try {
    return await work(deadline.signal);
  } finally {
    deadline.end();
  }
}
