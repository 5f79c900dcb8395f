// The way from one process to one store. A call is two events of the scheduler: the request
// reaches the store and takes effect, and the answer comes back. Between them, and instead of
// them, things go wrong.
//
// 1. Requests take effect in the order in which they were sent, and answers return in that order.
// 2. A call settles at most once. One whose answer is lost may have taken effect.
// 3. A process that has crashed receives nothing more.
import { ended } from "../../../core/runtime/ignored.ts";
import type { WorldScheduler } from "./scheduler.ts";
import { Way } from "./way.ts";

/**
 * `answered`; `lost_before`, `lost_after`: the caller gets an error and the request has not, or
 * has, taken effect; `refused`: it gets an error at once, without effect.
 */
export type Fate = "answered" | "lost_before" | "lost_after" | "refused";

/** How likely each trouble is, per call, and how long the ways take. */
export interface Trouble {
  readonly lostBefore: number;
  readonly lostAfter: number;
  readonly refused: number;
  /** How likely a way takes up to `slowMs` instead of up to `usualMs`. */
  readonly slow: number;
  readonly usualMs: number;
  readonly slowMs: number;
}

export const NO_TROUBLE: Trouble = {
  lostBefore: 0,
  lostAfter: 0,
  refused: 0,
  slow: 0,
  usualMs: 1,
  slowMs: 2_000,
};

export interface LinkOptions {
  readonly scheduler: WorldScheduler;
  /** Names the events: `<process> <store>`. */
  readonly name: string;
  /** The error for a call without an answer. */
  readonly lost: (what: string) => Error;
  /** Called when a lost answer has broken the connection, and every other call with it. */
  readonly broken?: () => void;
  /**
   * The store answers its requests in order, so the next event need not wait for the answer of the
   * one before. Called before an answer is awaited.
   */
  readonly overlap?: () => void;
}

interface Call {
  readonly what: string;
  readonly run: () => Promise<unknown>;
  readonly fate: Fate;
  answer: Promise<unknown> | undefined;
  readonly settled: PromiseWithResolvers<unknown>;
}

/** What is held back, until every reason for it has ended. */
export type Held = "requests" | "answers" | "both";

export class Link {
  trouble: Trouble = NO_TROUBLE;
  private readonly requests: Way<Call>;
  private readonly answers: Way<Call>;
  private dead = false;
  /** Requests of connections that were closed while nothing got through. */
  private late: Call[] = [];

  constructor(private readonly options: LinkOptions) {
    const { scheduler, name } = options;
    this.requests = new Way(scheduler, `${name} →`, (call) => this.arrive(call));
    this.answers = new Way(scheduler, `${name} ←`, (call) => this.settle(call));
  }

  /** Calls sent and not yet settled. */
  get inFlight(): number {
    return this.requests.length + this.answers.length;
  }

  /** Sends a call. `fate` decides for this one call instead of chance. */
  call<T>(what: string, run: () => Promise<T>, fate: Fate = this.draw()): Promise<T> {
    const settled = Promise.withResolvers<unknown>();
    const promise = settled.promise as Promise<T>;
    if (this.dead) return promise; // 3
    if (fate === "refused") settled.reject(this.options.lost(`${what} was refused`));
    else this.requests.send(what, { what, run, fate, answer: undefined, settled }, this.delayMs());
    return promise;
  }

  /** Holds back until `release`: nothing is lost, it is only late. */
  hold(reason: string, what: Held): void {
    if (what !== "answers") this.requests.hold(reason);
    if (what !== "requests") this.answers.hold(reason);
  }

  release(reason: string): void {
    this.requests.release(reason);
    this.answers.release(reason);
    if (!this.requests.held) this.reach(this.late.splice(0));
  }

  /**
   * The connection breaks: every call fails, and some of the requests under way still take effect,
   * the first ones sent. While nothing gets through they do so at its end, as kernels send again
   * what a closed connection has left.
   */
  break(): void {
    const answered = this.answers.drop();
    const sent = this.requests.drop();
    const reaching = Math.floor(this.options.scheduler.random() * (sent.length + 1));
    const reached = sent.slice(0, reaching);
    if (this.requests.held) this.late.push(...reached);
    else this.reach(reached);
    if (this.dead) return; // 3
    for (const { what, settled } of [...answered, ...sent])
      settled.reject(this.options.lost(`${what} has no answer`));
  }

  /** The process is gone; what it had sent may still arrive. */
  crash(): void {
    this.dead = true;
    this.break();
  }

  private reach(calls: readonly Call[]): void {
    for (const { run, fate } of calls) if (fate !== "lost_before") void ended(run());
  }

  private draw(): Fate {
    const { lostBefore, lostAfter, refused } = this.trouble;
    if (lostBefore + lostAfter + refused === 0) return "answered";
    const at = this.options.scheduler.random();
    if (at < lostBefore) return "lost_before";
    if (at < lostBefore + lostAfter) return "lost_after";
    return at < lostBefore + lostAfter + refused ? "refused" : "answered";
  }

  private delayMs(): number {
    const { random } = this.options.scheduler;
    const { slow, usualMs, slowMs } = this.trouble;
    const mostMs = slow > 0 && random() < slow ? slowMs : usualMs;
    return random() * mostMs;
  }

  private async arrive(call: Call): Promise<void> {
    if (call.fate === "lost_before") {
      this.lose(call);
      return;
    }
    call.answer = call.run();
    const over = ended(call.answer); // its caller gets the error, with the answer
    if (!this.options.overlap) await over;
    if (call.fate === "lost_after") this.lose(call);
    else this.answers.send(call.what, call, this.delayMs());
  }

  private lose({ what, settled }: Call): void {
    const { lost, broken } = this.options;
    if (!this.dead) settled.reject(lost(`${what} has no answer`));
    if (!broken) return;
    this.break();
    broken();
  }

  private async settle({ answer, settled }: Call): Promise<void> {
    this.options.overlap?.();
    try {
      const value = await answer;
      if (!this.dead) settled.resolve(value);
    } catch (error) {
      if (!this.dead) settled.reject(error);
    }
  }
}
