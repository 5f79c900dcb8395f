// Eases a worker off when it does harm, and lets it recover afterwards:
//
//   running ──(a signal over `slow`, 3 samples)──▶ slowed 1 ─▶ 2 ─▶ 3
//       each level halves the batch and lengthens the rest after it
//   any ──(a signal over `pause`, 6 samples, or an operator)──▶ paused
//       nothing is decided; the shards go to workers that are not paused
//   back one level at a time ──(all signals well below `slow`, 4 samples)
//
// Signals are signs of harm (slow stores, a lagging event loop, others who need the CPU), never of
// being busy. The machine is pure: signals and the time go in, a pace comes out.
//
// 1. It eases off quickly and recovers slowly: one level at a time, and only when all signals are
//    well below their thresholds.
// 2. A pause has a minimum length; one that recurs soon lasts twice as long, up to a bound.
// 3. Only an operator ends an operator's pause.
// 4. The last worker that decides never stops for busy neighbours; it continues, most slowly.
import type { GovernorReport, GovernorState } from "../../core/domain/report.ts";

export interface Threshold {
  readonly slow: number;
  readonly pause: number;
}

/** Signals that other programs cause. The others are about the stores. */
export const NEIGHBOURS: ReadonlySet<string> = new Set(["cpu_others_percent", "loop_delay_ms"]);

export interface GovernorOptions {
  /** By signal; a signal without a threshold is only shown. */
  readonly thresholds: Readonly<Record<string, Threshold | undefined>>;
  readonly onChange: (report: GovernorReport) => void;
}

/** The sampling interval. */
export const SAMPLE_MS = 500;
const LOOKS_TO_SLOW = 3;
const LOOKS_TO_PAUSE = 6;
const LOOKS_TO_EASE = 4;
/** A signal has eased once it is below this share of `slow`; between the two nothing changes. */
const EASED = 0.7;
const SLOWEST = 3;
const PAUSED = 4;
const PAUSE_MS = 3_000;
const MAX_PAUSE_MS = 30_000;
/** A pause that recurs within this time lasts twice as long as the last one. */
const RELAPSE_MS = 60_000;

export class Governor {
  private level = 0;
  private pausedBy: string | undefined;
  private isLast = false;
  private signals: Readonly<Record<string, number>> = {};
  private reasons: readonly string[] = [];
  private over = { slow: 0, pause: 0, eased: 0 };
  private pauseMs = PAUSE_MS;
  private pausedAtMs = Number.NEGATIVE_INFINITY;
  private resumedAtMs = Number.NEGATIVE_INFINITY;
  private readonly transitions: Record<GovernorState, number> = {
    running: 0,
    slowed: 0,
    paused: 0,
  };
  private readonly easedBy: Record<string, number> = {};

  constructor(private readonly options: GovernorOptions) {}

  get state(): GovernorState {
    if (this.paused) return "paused";
    return this.level === 0 ? "running" : "slowed";
  }

  get paused(): boolean {
    if (this.pausedBy !== undefined) return true; // 3
    const spared = this.isLast && this.reasons.every((reason) => NEIGHBOURS.has(reason)); // 4
    return this.level === PAUSED && !spared;
  }

  /** Whether no other worker decides what this one leaves. */
  decidesAlone(last: boolean): void {
    if (last === this.isLast) return;
    const also = () => {
      this.isLast = last;
    };
    if (this.level === PAUSED) this.change(this.level, also);
    else also();
  }

  /** As a share of the full batch. */
  get batchShare(): number {
    return 1 / 2 ** Math.min(this.level, SLOWEST);
  }

  /** How long to rest after work of this length, ms: 1, 3 and 7 times as long at levels 1 to 3. */
  restMs(workedMs: number): number {
    return this.level === 0 ? 0 : workedMs * (2 ** Math.min(this.level, SLOWEST) - 1);
  }

  /** An operator pauses this worker (`by` is their name) or resumes it (undefined). */
  byHand(by: string | undefined): void {
    if (by === this.pausedBy) return;
    if (by !== undefined) this.easedBy.operator = (this.easedBy.operator ?? 0) + 1;
    this.change(this.level, () => {
      this.pausedBy = by;
    });
  }

  /** Takes one sample of all signals. `nowMs` is monotonic. */
  sample(signals: Readonly<Record<string, number>>, nowMs: number): void {
    this.signals = signals;
    const exceeds = (which: keyof Threshold) =>
      Object.entries(signals)
        .filter(
          ([name, value]) =>
            value >= (this.options.thresholds[name]?.[which] ?? Number.POSITIVE_INFINITY),
        )
        .map(([name]) => name);
    const slow = exceeds("slow");
    const pause = exceeds("pause");
    this.over.slow = slow.length > 0 ? this.over.slow + 1 : 0;
    this.over.pause = pause.length > 0 ? this.over.pause + 1 : 0;
    this.over.eased = this.eased() ? this.over.eased + 1 : 0;
    if (slow.length > 0) this.reasons = slow;
    if (this.over.pause >= LOOKS_TO_PAUSE && this.level < PAUSED) this.pause(nowMs);
    else if (this.over.slow >= LOOKS_TO_SLOW && this.level < SLOWEST) this.change(this.level + 1);
    else if (this.over.eased >= LOOKS_TO_EASE && this.level > 0) this.ease(nowMs);
  }

  report(): GovernorReport {
    const { level, signals, transitions } = this;
    const reasons = [
      ...(this.pausedBy === undefined ? [] : ["operator"]),
      ...(level > 0 ? this.reasons : []),
    ];
    return {
      state: this.state,
      level: this.paused ? PAUSED : Math.min(level, SLOWEST),
      reasons,
      signals,
      transitions: { ...transitions },
      eased: { ...this.easedBy },
    };
  }

  private eased(): boolean {
    const { thresholds } = this.options;
    return Object.entries(this.signals).every(
      ([name, value]) => value < (thresholds[name]?.slow ?? Number.POSITIVE_INFINITY) * EASED, // 1
    );
  }

  private pause(nowMs: number): void {
    this.pauseMs =
      nowMs - this.resumedAtMs < RELAPSE_MS ? Math.min(MAX_PAUSE_MS, this.pauseMs * 2) : PAUSE_MS;
    this.pausedAtMs = nowMs;
    this.change(PAUSED);
  }

  private ease(nowMs: number): void {
    if (this.level === PAUSED) {
      if (nowMs - this.pausedAtMs < this.pauseMs) return; // 2
      this.resumedAtMs = nowMs;
    }
    this.change(this.level - 1); // 1
  }

  private change(level: number, also: () => void = () => undefined): void {
    const before = this.state;
    // Going down a level does not restart the count towards a pause.
    this.over = {
      slow: 0,
      eased: 0,
      pause: level < PAUSED && level > this.level ? this.over.pause : 0,
    };
    const reasons = level > this.level ? this.reasons : [];
    this.level = level;
    also();
    if (this.state !== before) this.transitions[this.state]++;
    for (const reason of reasons) this.easedBy[reason] = (this.easedBy[reason] ?? 0) + 1;
    this.options.onChange(this.report());
  }
}
