// The pace of one kind of work: messages, calls to Redis, looks for follow-ups. Each unit of such
// work has a fixed cost, so under load fewer and fuller units cost less per row.
//
//   enter ─▶ waiting ──(the turn is due)──▶ all that wait start together
//   hurry ─▶ ──(the event-loop turn ends)──▶ starts
//
// 1. The interval between turns follows the load: none on an idle system, `mostMs` under load.
//    Nobody waits longer than `mostMs`.
// 2. All that wait start together, so that shards share writes, reads and commits.
// 3. A full unit hurries: it does not wait for the turn.
//
// docs/decisions/0017-pace.md has the figures.
import type { Runtime } from "./runtime.ts";

/** The load is what was carried in about this long, ms. */
const LOAD_MS = 100;
/** Timers are no finer than this, ms. */
const MIN_MS = 1;
/** After a unit's answer, its sender's clients answer in turn: a share of the interval for them. */
const AFTER_ANSWER = 1 / 3;

export interface PacerOptions {
  readonly runtime: Pick<Runtime, "monotonicMs" | "startTimer" | "nextTurn">;
  /** The longest interval between two turns, ms. */
  readonly mostMs: () => number;
  /** Rows per second from which on the interval is `mostMs`; below it is in proportion. */
  readonly fullFrom: number;
}

export class Pacer {
  private readonly waiting = new Set<() => void>();
  private readonly hurried = new Set<() => void>();
  private timed = false;
  private startedMs = Number.NEGATIVE_INFINITY;
  private answeredMs = Number.NEGATIVE_INFINITY;
  /** Rows carried lately, and when that was reckoned. */
  private rows = 0;
  private rowsAtMs = 0;

  constructor(private readonly options: PacerOptions) {}

  /** Calls `start` once a turn is due, together with all others that wait. */
  enter(start: () => void): void {
    if (this.hurried.has(start)) return;
    if (!this.timed) {
      const waitMs = this.waitMs();
      if (waitMs < MIN_MS) {
        this.hurry(start); // 1
        return;
      }
      this.timed = true;
      this.options.runtime.startTimer(() => {
        this.timed = false;
        this.begin(this.waiting); // 2
      }, waitMs);
    }
    this.waiting.add(start);
  }

  /** Calls `start` at the end of this event-loop turn. */
  hurry(start: () => void): void {
    if (this.hurried.has(start)) return;
    this.waiting.delete(start);
    this.hurried.add(start);
    if (this.hurried.size > 1) return;
    this.options.runtime.nextTurn(() => this.begin(this.hurried)); // 3
  }

  /** A unit starts. */
  started(): void {
    this.startedMs = this.options.runtime.monotonicMs();
  }

  /** A unit carries this many rows. */
  carried(rows: number): void {
    const nowMs = this.options.runtime.monotonicMs();
    this.rows = this.load(nowMs) + rows;
    this.rowsAtMs = nowMs;
  }

  /** A unit has been answered. */
  answered(): void {
    this.answeredMs = this.options.runtime.monotonicMs();
  }

  /** How long until the next turn, ms. */
  private waitMs(): number {
    const nowMs = this.options.runtime.monotonicMs();
    const { mostMs, fullFrom } = this.options;
    const perSecond = (this.load(nowMs) * 1_000) / LOAD_MS;
    const intervalMs = mostMs() * Math.min(1, perSecond / fullFrom);
    return (
      Math.max(this.startedMs + intervalMs, this.answeredMs + intervalMs * AFTER_ANSWER) - nowMs
    );
  }

  private load(nowMs: number): number {
    return this.rows * Math.exp((this.rowsAtMs - nowMs) / LOAD_MS);
  }

  private begin(those: Set<() => void>): void {
    const starts = [...those];
    those.clear();
    const errors: unknown[] = [];
    for (const start of starts) {
      try {
        start();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0]; // the others have started
  }
}
