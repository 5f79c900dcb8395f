// Eases a worker off by itself when something is being harmed, and lets it go on when that is over:
//
//   running ──(a signal over `slow` for three looks)──▶ slowed 1 ─▶ 2 ─▶ 3: half the batch each time, and a rest after each batch
//   any ──(a signal over `pause` for six looks, or an operator)──▶ paused: nothing is decided; the shards go to workers that are not
//   back, a level at a time ──(all signals well below `slow` for four looks; a pause lasts its time, twice as long when it comes again soon)
//
// Signals are signs of harm (stores that answer late, an event loop that lags, others who need the
// CPU), never of being busy. The machine is pure: signals and the time come in, a pace comes out.
import type { GovernorReport, GovernorState } from "../../core/domain/report.ts";

export interface Threshold {
  readonly slow: number;
  readonly pause: number;
}

export interface GovernorOptions {
  /** By signal; one without a threshold is only shown. */
  readonly thresholds: Readonly<Record<string, Threshold | undefined>>;
  readonly onChange: (report: GovernorReport) => void;
}

/** A look is taken so often. */
export const LOOK_MS = 500;
const LOOKS_TO_SLOW = 3;
const LOOKS_TO_PAUSE = 6;
const LOOKS_TO_EASE = 4;
/** Below this share of `slow` a signal is over; between the two nothing changes. */
const EASED = 0.7;
const SLOWEST = 3;
const PAUSED = 4;
const PAUSE_MS = 3_000;
const MAX_PAUSE_MS = 30_000;
/** A pause that comes again within so long lasts twice as long as the one before. */
const RELAPSE_MS = 60_000;

export class Governor {
  private level = 0;
  private hand: string | undefined;
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
    if (this.hand !== undefined || this.level === PAUSED) return "paused";
    return this.level === 0 ? "running" : "slowed";
  }

  get paused(): boolean {
    return this.hand !== undefined || this.level === PAUSED;
  }

  /** Of the full batch, as a share. */
  get batchShare(): number {
    return 1 / 2 ** Math.min(this.level, SLOWEST);
  }

  /**
   * How long to rest after work of this length, ms: as long at level 1, three and seven times as
   * long at 2 and 3.
   */
  restMs(workedMs: number): number {
    return this.level === 0 ? 0 : workedMs * (2 ** Math.min(this.level, SLOWEST) - 1);
  }

  /** An operator pauses (by: his name) or resumes (undefined) this worker. */
  byHand(by: string | undefined): void {
    if (by === this.hand) return;
    if (by !== undefined) this.easedBy.operator = (this.easedBy.operator ?? 0) + 1;
    this.change(this.level, () => {
      this.hand = by;
    });
  }

  /** The signals of a moment. `nowMs` is monotonic. */
  look(signals: Readonly<Record<string, number>>, nowMs: number): void {
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
      ...(this.hand === undefined ? [] : ["operator"]),
      ...(level > 0 ? this.reasons : []),
    ];
    return {
      state: this.state,
      level: this.paused ? PAUSED : level,
      reasons,
      signals,
      transitions: { ...transitions },
      eased: { ...this.easedBy },
    };
  }

  private eased(): boolean {
    const { thresholds } = this.options;
    return Object.entries(this.signals).every(
      ([name, value]) => value < (thresholds[name]?.slow ?? Number.POSITIVE_INFINITY) * EASED,
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
      if (nowMs - this.pausedAtMs < this.pauseMs) return;
      this.resumedAtMs = nowMs;
    }
    this.change(this.level - 1);
  }

  private change(level: number, also: () => void = () => undefined): void {
    const before = this.state;
    // A step down the levels does not begin the count towards a pause anew.
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
