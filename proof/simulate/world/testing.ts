// A scheduler for the tests of the world: events by due time, at random among those due together,
// with a runtime on the same clock and a trace.
import { prng, uuidV7 } from "../../../core/runtime/prng.ts";
import type { Runtime, Timer } from "../../../core/runtime/runtime.ts";
import type { WorldScheduler } from "./scheduler.ts";

interface Event {
  readonly name: string;
  readonly run: () => void | Promise<void>;
  readonly dueMs: number;
  readonly rank: number;
}

interface TestTimer extends Timer {
  stopped: boolean;
}

export const START_MS = 1_800_000_000_000;

export class TestScheduler implements WorldScheduler {
  readonly trace: string[] = [];
  readonly random: () => number;
  private events: Event[] = [];
  private timeMs = START_MS;

  constructor(seed: number) {
    this.random = prng(seed);
  }

  readonly nowMs = (): number => this.timeMs;

  readonly event = (name: string, run: Event["run"], delayMs = 0): void => {
    this.events.push({ name, run, dueMs: this.timeMs + delayMs, rank: this.random() });
  };

  /** Runs events until `done`, or all up to `forMs` from now. */
  async run(done: () => boolean = () => false, forMs = 60_000): Promise<void> {
    const endMs = this.timeMs + forMs;
    await settled();
    while (!done()) {
      const next = this.take(endMs);
      if (!next) break;
      this.timeMs = Math.max(this.timeMs, next.dueMs);
      this.trace.push(`${(this.timeMs - START_MS).toFixed(3)} ${next.name}`);
      await next.run();
      await settled();
    }
    if (!done()) this.timeMs = endMs;
  }

  /** Runs until the promise settles, and returns its value. */
  async until<T>(promise: Promise<T>, forMs = 60_000): Promise<T> {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    await this.run(() => over, forMs);
    if (!over) throw new Error(`not settled within ${forMs} ms of the simulation`);
    return promise;
  }

  /** The clocks, timers and randomness of a process. */
  runtime(): Runtime {
    const startTimer = (call: () => void, ms: number, everyMs?: number): Timer => {
      const timer: TestTimer = { stopped: false, unref: () => timer };
      const fire = () => {
        if (timer.stopped) return;
        if (everyMs !== undefined) this.event("timer", fire, everyMs);
        call();
      };
      this.event("timer", fire, ms);
      return timer;
    };
    const { random } = this;
    const sleep = (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        startTimer(resolve, ms);
        signal?.addEventListener("abort", () => resolve());
      });
    const abortAfter = (ms: number) => {
      const abort = new AbortController();
      startTimer(() => abort.abort(new DOMException("timed out", "TimeoutError")), ms);
      return abort.signal;
    };
    return {
      wallMs: () => Math.floor(this.timeMs),
      monotonicMs: () => this.timeMs - START_MS,
      sleep,
      startTimer: (call, ms) => startTimer(call, ms),
      startInterval: (call, ms) => startTimer(call, ms, ms),
      stopTimer: (timer) => {
        if (timer) (timer as TestTimer).stopped = true;
      },
      nextTurn: (call) => void startTimer(call, 0),
      abortAfter,
      random,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256)),
      uuid: () => uuidV7(this.timeMs, random).replace(/-7/, "-4"),
      uuidV7: () => uuidV7(this.timeMs, random),
    };
  }

  private take(endMs: number): Event | undefined {
    let first: Event | undefined;
    for (const event of this.events)
      if (event.dueMs <= endMs && (!first || isBefore(event, first))) first = event;
    if (first) this.events.splice(this.events.indexOf(first), 1);
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.rank < b.rank);
}

/** Lets every promise continue that can. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
