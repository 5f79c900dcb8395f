// Redis's clock, which all decisions use. Each process estimates it from its own monotonic clock,
// so that timestamps agree across machines.
//
// A jump is not followed: otherwise setting a clock would make everything queued stale and end
// every gap, hold and rate wait (docs/decisions/0013-deadlines.md).
import { ignore } from "../runtime/ignored.ts";
import type { Runtime, Timer } from "../runtime/runtime.ts";
import type { RedisStore } from "./redis.ts";

/** How often the offset is measured. Machine clocks drift by milliseconds per minute at most. */
const RESYNC_MS = 10_000;
/** The same after a jump, to see whether the new time lasts. */
const WATCH_MS = 2_000;
/** How long a new time must be steady before it is followed. */
const STEADY_MS = 30_000;
/** Two measurements of a steady clock differ by half a round trip at most. */
const STEADY_WITHIN_MS = 1_000;
/** A new time is followed only if this machine's own clock is this close to it. */
const WALL_WITHIN_MS = 60_000;
/** A measurement that took longer is too inexact to use. */
const MAX_TRIP_MS = 2_000;
/** How long a call may wait in Redis before its bounds are checked. */
const LATE_CALL_MS = 10_000;
/** Earlier offsets, for `ago`. */
const MAX_SHIFTS = 16;
export const DEFAULT_CLOCK_STEP_MS = 5_000;

export interface ClockOptions {
  readonly runtime: Runtime;
  /** Redis's time, Unix ms. */
  readonly read: () => Promise<number>;
  /** A larger difference is a jump. */
  readonly stepMs: number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** The part that a shard's owner uses. */
export type DecidingClock = Pick<SharedClock, "now" | "ago" | "bounds" | "followed">;

/** From `sinceMs` (monotonic) on, Redis's time is the monotonic time plus `offsetMs`. */
interface Shift {
  readonly sinceMs: number;
  offsetMs: number;
}

export class SharedClock {
  /** How many times a new time was followed. */
  followed = 0;
  /** How far Redis's clock is from the estimate; undefined while they agree. */
  jumpMs: number | undefined;
  /** The current offset: that of the last shift. */
  private offsetMs: number;
  private readonly shifts: Shift[];
  private measured = false;
  private steady: Shift | undefined;
  private timer: Timer | undefined;
  private stopped = false;
  private readonly options: ClockOptions;

  constructor(
    redis: RedisStore | undefined,
    {
      runtime,
      read = () => timeOf(redis as RedisStore),
      stepMs = DEFAULT_CLOCK_STEP_MS,
      log = () => undefined,
    }: Pick<ClockOptions, "runtime"> & Partial<ClockOptions>,
  ) {
    this.options = { runtime, read, stepMs, log };
    // Until Redis has answered, this machine's clock is the best guess.
    this.offsetMs = runtime.wallMs() - runtime.monotonicMs();
    this.shifts = [{ sinceMs: Number.NEGATIVE_INFINITY, offsetMs: this.offsetMs }];
  }

  /** The estimate of Redis's clock, Unix ms. */
  readonly now = (): number => Math.round(this.options.runtime.monotonicMs() + this.offsetMs);

  /**
   * What Redis's clock showed `ms` ago, but never later than `now() - ms`. So whatever has this
   * timestamp or an earlier one has lasted for at least `ms`.
   */
  readonly ago = (ms: number): number => {
    const thenMs = this.options.runtime.monotonicMs() - ms;
    const shift = this.shifts.findLast(({ sinceMs }) => sinceMs <= thenMs) ?? this.shifts[0];
    return Math.min(this.now() - ms, Math.round(thenMs + (shift as Shift).offsetMs));
  };

  /**
   * The earliest and the latest time that Redis's clock may show when a call arrives. Outside of
   * these it has jumped.
   */
  readonly bounds = (): string => {
    const nowMs = this.now();
    const { stepMs } = this.options;
    return `${Math.max(0, nowMs - stepMs)} ${nowMs + stepMs + LATE_CALL_MS}`;
  };

  async start(): Promise<void> {
    this.next();
    await this.sync();
  }

  stop(): void {
    this.stopped = true;
    this.options.runtime.stopTimer(this.timer);
  }

  /** Measures the offset. Assumes that Redis read its clock in the middle of the round trip. */
  readonly sync = async (): Promise<void> => {
    const { read, runtime } = this.options;
    const before = runtime.monotonicMs();
    const redisMs = await read();
    const tripMs = runtime.monotonicMs() - before;
    if (tripMs <= MAX_TRIP_MS) this.judge(redisMs, redisMs - (before + tripMs / 2));
  };

  private get current(): Shift {
    return this.shifts.at(-1) as Shift;
  }

  private next(): void {
    if (this.stopped) return;
    const waitMs = this.jumpMs === undefined ? RESYNC_MS : WATCH_MS;
    const look = () => ignore(this.sync(), "clock_sync");
    this.timer = this.options.runtime.startTimer(() => void look().then(() => this.next()), waitMs);
    this.timer.unref();
  }

  private judge(redisMs: number, offsetMs: number): void {
    const { stepMs, runtime, log } = this.options;
    const awayMs = Math.round(offsetMs - this.current.offsetMs);
    const wallAwayMs = Math.round(redisMs - runtime.wallMs());
    const likely = Math.abs(wallAwayMs) <= Math.max(stepMs, WALL_WITHIN_MS);
    if (Math.abs(awayMs) <= stepMs || (likely && !this.measured)) {
      this.measured = true;
      this.offsetMs = this.current.offsetMs = offsetMs;
      if (this.jumpMs !== undefined) log("clock right again", { byMs: awayMs });
      this.jumpMs = this.steady = undefined;
      return;
    }
    if (this.jumpMs === undefined)
      log("clock jumped", {
        byMs: awayMs,
        fromThisMachineMs: wallAwayMs,
        setting: "SLUICE_CLOCK_STEP",
      });
    this.jumpMs = awayMs;
    if (!this.steady || Math.abs(offsetMs - this.steady.offsetMs) > STEADY_WITHIN_MS)
      this.steady = { sinceMs: runtime.monotonicMs(), offsetMs };
    const steadyMs = runtime.monotonicMs() - this.steady.sinceMs;
    if (likely && steadyMs >= STEADY_MS) this.follow(offsetMs, awayMs);
  }

  private follow(offsetMs: number, byMs: number): void {
    this.offsetMs = offsetMs;
    this.shifts.push({ sinceMs: this.options.runtime.monotonicMs(), offsetMs });
    if (this.shifts.length > MAX_SHIFTS) this.shifts.splice(1, 1);
    this.jumpMs = this.steady = undefined;
    this.followed++;
    this.options.log("clock followed", { byMs });
  }
}

async function timeOf(redis: RedisStore): Promise<number> {
  const [seconds, micros] = await redis.run((client) => client.time());
  return Number(seconds) * 1000 + Number(micros) / 1000;
}
