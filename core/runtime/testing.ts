// A runtime whose time stands still until a test advances it. Timers fire in the order they are
// due; those due at the same moment fire in the order they were started. Randomness is seeded.
import { prng, uuidV7 } from "./prng.ts";
import type { Runtime, Timer } from "./runtime.ts";

const START_WALL_MS = 1_800_000_000_000;

interface Waiting {
  atMs: number;
  readonly everyMs: number | undefined;
  readonly call: () => void;
}

export class VirtualRuntime implements Runtime {
  private nowMs = 0;
  private wallAheadMs = START_WALL_MS;
  /** In the order they were started. */
  private readonly waiting = new Map<Timer, Waiting>();

  constructor(seed = 1) {
    this.random = prng(seed);
  }

  readonly random: () => number;
  readonly wallMs = (): number => Math.floor(this.nowMs + this.wallAheadMs);
  readonly monotonicMs = (): number => this.nowMs;

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.stopTimer(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = this.startTimer(wake, ms);
    signal?.addEventListener("abort", wake);
    return promise;
  };

  readonly startTimer = (call: () => void, ms: number): Timer => this.start(call, ms, undefined);
  readonly startInterval = (call: () => void, ms: number): Timer => this.start(call, ms, ms);
  readonly stopTimer = (timer: Timer | undefined): void => {
    if (timer) this.waiting.delete(timer);
  };
  readonly nextTurn = (call: () => void): void => void this.startTimer(call, 0);

  readonly abortAfter = (ms: number): AbortSignal => {
    const abort = new AbortController();
    this.startTimer(() => abort.abort(new DOMException("timed out", "TimeoutError")), ms);
    return abort.signal;
  };

  readonly randomBytes = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));
  readonly uuidV7 = (): string => uuidV7(this.wallMs(), this.random);
  readonly uuid = (): string => this.uuidV7().replace(/-7/, "-4");

  /** The wall clock alone jumps. */
  jumpWall(byMs: number): void {
    this.wallAheadMs += byMs;
  }

  /** Time passes while the event loop is blocked: no timer fires, all that are due are late. */
  pass(ms: number): void {
    this.nowMs += ms;
  }

  /** How many timers wait. */
  get timers(): number {
    return this.waiting.size;
  }

  /** Lets `ms` pass; what each timer wakes has run as far as it can before the next one fires. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    await settled();
    for (let next = this.due(untilMs); next; next = this.due(untilMs)) {
      const [timer, due] = next;
      this.nowMs = Math.max(this.nowMs, due.atMs);
      if (due.everyMs === undefined) this.waiting.delete(timer);
      else due.atMs += Math.max(1, due.everyMs);
      due.call();
      await settled();
    }
    this.nowMs = untilMs;
  }

  private start(call: () => void, ms: number, everyMs: number | undefined): Timer {
    const timer: Timer = { unref: () => timer };
    this.waiting.set(timer, { atMs: this.nowMs + Math.max(0, ms), everyMs, call });
    return timer;
  }

  /** The first timer that is due by then. */
  private due(untilMs: number): [Timer, Waiting] | undefined {
    let first: [Timer, Waiting] | undefined;
    for (const entry of this.waiting)
      if (entry[1].atMs <= untilMs && (!first || entry[1].atMs < first[1].atMs)) first = entry;
    return first;
  }
}

/** Lets every promise continue that can. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
