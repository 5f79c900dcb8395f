// A simulated process: a runtime whose timers are events of the scheduler, on clocks of its own. It
// can be killed, frozen and thawed.
//
//  1. The monotonic clock drifts and never goes back; the wall clock may jump as well. A freeze
//     stops neither.
//  2. A killed process runs nothing more, neither its timers nor what reaches it from the world.
//  3. A frozen process gets everything late, in the order it came, once it thaws.
import { prng, uuidV7 } from "../../core/runtime/prng.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Host, ScheduledEvent, Scheduler } from "./scheduler.ts";
import type { WorldScheduler } from "./world/scheduler.ts";

/** A timer fires up to this late, ms. */
const LATE_MS = 1;
/** The most that a machine's clock drifts, as a share. */
const MAX_DRIFT = 0.000_5;
/** Between two events that a frozen process kept, so that they stay in order, ms. */
const THAW_STEP_MS = 0.001;

interface Started {
  event: ScheduledEvent;
}

export class SimulatedProcess implements Runtime, Host {
  state: Host["state"] = "running";
  readonly random: () => number;
  /** The world as this process sees it: its events are dropped or kept with it (2, 3). */
  readonly world: WorldScheduler;
  private readonly timers = new Map<Timer, Started>();
  private readonly kept: ScheduledEvent[] = [];
  private readonly startedAtMs: number;
  private readonly rate: number;
  private wallAheadMs: number;

  constructor(
    private readonly scheduler: Scheduler,
    readonly name: string,
    wallAheadMs = 0,
  ) {
    this.random = prng(Math.floor(scheduler.random() * 2 ** 32));
    this.startedAtMs = scheduler.nowMs();
    this.rate = 1 + (this.random() * 2 - 1) * MAX_DRIFT;
    this.wallAheadMs = this.startedAtMs + wallAheadMs;
    this.world = {
      nowMs: scheduler.nowMs,
      random: scheduler.random,
      event: (event, run, delayMs = 0) => void scheduler.add(this, event, run, delayMs),
    };
  }

  readonly monotonicMs = (): number => (this.scheduler.nowMs() - this.startedAtMs) * this.rate; // 1
  readonly wallMs = (): number => Math.floor(this.monotonicMs() + this.wallAheadMs);

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      this.stopTimer(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = this.start("sleep", wake, ms, undefined);
    signal?.addEventListener("abort", wake);
    return promise;
  };

  readonly startTimer = (call: () => void, ms: number): Timer =>
    this.start("timer", call, ms, undefined);
  readonly startInterval = (call: () => void, ms: number): Timer =>
    this.start("interval", call, ms, Math.max(1, ms));
  readonly stopTimer = (timer: Timer | undefined): void => {
    const started = timer && this.timers.get(timer);
    if (!started) return;
    this.scheduler.cancel(started.event);
    this.timers.delete(timer);
  };
  readonly nextTurn = (call: () => void): void => void this.start("turn", call, 0, undefined);

  readonly abortAfter = (ms: number): AbortSignal => {
    const abort = new AbortController();
    this.startTimer(() => abort.abort(new DOMException("timed out", "TimeoutError")), ms);
    return abort.signal;
  };

  readonly randomBytes = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));
  readonly uuidV7 = (): string => uuidV7(this.wallMs(), this.random);
  readonly uuid = (): string => {
    const bytes = Buffer.from(this.randomBytes(16)).toString("hex");
    const [a, b, c, d] = [bytes.slice(0, 8), bytes.slice(8, 12), bytes.slice(13, 16), bytes];
    return `${a}-${b}-4${c}-a${d.slice(17, 20)}-${d.slice(20)}`;
  };

  /** The wall clock alone jumps (1). */
  jumpWall(byMs: number): void {
    this.wallAheadMs += byMs;
  }

  /** As `kill -9` does. */
  kill(): void {
    this.state = "dead";
    this.timers.clear();
    this.kept.length = 0;
  }

  freeze(): void {
    if (this.state === "running") this.state = "frozen";
  }

  thaw(): void {
    if (this.state !== "frozen") return;
    this.state = "running";
    const { kept } = this;
    for (let i = 0; i < kept.length; i++)
      this.scheduler.queue(kept[i] as ScheduledEvent, i * THAW_STEP_MS); // 3
    kept.length = 0;
  }

  keep(event: ScheduledEvent): void {
    this.kept.push(event);
  }

  private start(kind: string, call: () => void, ms: number, everyMs: number | undefined): Timer {
    const timer: Timer = { unref: () => timer };
    const fire = () => {
      if (everyMs === undefined) this.timers.delete(timer);
      else started.event = this.due(kind, fire, everyMs);
      call();
    };
    const started: Started = { event: this.due(kind, fire, ms) };
    this.timers.set(timer, started);
    return timer;
  }

  /** A turn of the event loop ends at once; any other timer fires a little late. */
  private due(kind: string, fire: () => void, ms: number): ScheduledEvent {
    const lateMs = kind === "turn" ? 0 : this.scheduler.random() * LATE_MS;
    return this.scheduler.add(this, kind, fire, Math.max(0, ms) / this.rate + lateMs);
  }
}
