// Redis's clock is the one decisions use. Each process reckons it from its own monotonic clock and
// the difference between the two, so that stamps agree across machines.
//
// A clock that jumps is not followed: everything queued would be stale, and every gap, hold and
// rate wait over, because somebody set a clock. The reckoning goes on as before. The new time is
// followed once it has been steady for a while and this machine's own clock shows it too; or the
// operator sets the clock right, or allows the step (SLUICE_CLOCK_STEP).
import { ignore } from "../runtime/ignored.ts";
import type { Runtime, Timer } from "../runtime/runtime.ts";
import type { RedisStore } from "./redis.ts";

/** How often the difference is measured: machine clocks drift by milliseconds a minute at most. */
const RESYNC_MS = 10_000;
/** … and after a jump, to see whether it lasts. */
const WATCH_MS = 2_000;
/** How long a new time must be steady. */
const STEADY_MS = 30_000;
/** Two measurements of a steady clock differ by half a round trip at most. */
const STEADY_WITHIN_MS = 1_000;
/** This machine's clock need not be exact to tell a right time from a wrong one. */
const WALL_WITHIN_MS = 60_000;
/** A measurement that took longer says too little. */
const MAX_TRIP_MS = 2_000;
/** A call may wait in Redis for some seconds before its clock is compared. */
const LATE_CALL_MS = 10_000;
/** Earlier differences, for `ago`. */
const MAX_SHIFTS = 16;
export const DEFAULT_CLOCK_STEP_MS = 5_000;

export interface ClockOptions {
  readonly runtime: Runtime;
  /** Redis's time, Unix ms. */
  readonly read: () => Promise<number>;
  /** A difference beyond this is a jump. */
  readonly stepMs: number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** What an owner of a shard needs of it. */
export type DecidingClock = Pick<SharedClock, "now" | "ago" | "bounds" | "followed">;

/** From `sinceMs` (monotonic) on, Redis's time was this much more than the monotonic one. */
interface Shift {
  readonly sinceMs: number;
  offsetMs: number;
}

export class SharedClock {
  /** How often a new time was followed. */
  followed = 0;
  /** How far Redis's clock is from the reckoning; undefined while they agree. */
  jumpMs: number | undefined;
  /** Redis's time less the monotonic one, now: the last of the shifts'. */
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
    // Until Redis has been asked, this machine's clock is the best guess.
    this.offsetMs = runtime.wallMs() - runtime.monotonicMs();
    this.shifts = [{ sinceMs: Number.NEGATIVE_INFINITY, offsetMs: this.offsetMs }];
  }

  /** Unix ms on Redis's clock, as well as it is known. */
  readonly now = (): number => Math.round(this.options.runtime.monotonicMs() + this.offsetMs);

  /**
   * What that clock showed `ms` ago, and at most `ms` less than now: what is stamped so has lasted.
   */
  readonly ago = (ms: number): number => {
    const thenMs = this.options.runtime.monotonicMs() - ms;
    const shift = this.shifts.findLast(({ sinceMs }) => sinceMs <= thenMs) ?? this.shifts[0];
    return Math.min(this.now() - ms, Math.round(thenMs + (shift as Shift).offsetMs));
  };

  /**
   * The earliest and the latest Redis's clock may show when a call arrives; any other has jumped.
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

  /** Takes the middle of the round trip as the moment Redis read its clock. */
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
