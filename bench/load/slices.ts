// Latencies of a run as a whole and over time. An order belongs to the slice of its intended start,
// so that a cold start, or a pause, shows where it happened.
import { build, type Histogram } from "hdr-histogram-js";

/** Ms since the intended start. */
export interface Latency {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export const EVENTS = ["accepted", "decided", "refused"] as const;
export type Event = (typeof EVENTS)[number];
export type Latencies = Readonly<Record<Event, Latency>>;

/** A part of a run: its start, in seconds since the run's, and its orders' latencies. */
export interface Slice extends Latencies {
  readonly fromS: number;
}

/** Bounds memory and the width of a plot. */
const MAX_SLICES = 120;
/** Half an hour in µs, far above any latency here. */
const HIGHEST_MICROS = 1_800_000_000;
const DIGITS = 3;
/** Each slice has histograms of its own, so they are coarser. */
const SLICE_DIGITS = 2;

/** The length of the slices of a run, in seconds. */
export function sliceSeconds(seconds: number): number {
  return Math.ceil(seconds / MAX_SLICES);
}

export class SlicedLatencies {
  private readonly whole = histograms(DIGITS);
  private readonly slices: Record<Event, Histogram>[];
  private readonly sliceMs: number;

  constructor(seconds: number) {
    this.sliceMs = sliceSeconds(seconds) * 1_000;
    const count = Math.max(1, Math.ceil((seconds * 1_000) / this.sliceMs));
    this.slices = Array.from({ length: count }, () => histograms(SLICE_DIGITS));
  }

  /** `dueMs` counts from the start of the run. */
  record(event: Event, dueMs: number, latencyMs: number): void {
    const micros = Math.min(HIGHEST_MICROS, Math.max(1, latencyMs * 1_000));
    this.whole[event].recordValue(micros);
    const slice = Math.min(this.slices.length - 1, Math.max(0, Math.floor(dueMs / this.sliceMs)));
    this.slices[slice]?.[event].recordValue(micros);
  }

  total(): Latencies {
    return latencies(this.whole);
  }

  overTime(): Slice[] {
    return this.slices.map((slice, at) => ({
      fromS: (at * this.sliceMs) / 1_000,
      ...latencies(slice),
    }));
  }
}

function histograms(digits: 2 | 3): Record<Event, Histogram> {
  const one = () =>
    build({
      lowestDiscernibleValue: 1,
      highestTrackableValue: HIGHEST_MICROS,
      numberOfSignificantValueDigits: digits,
    });
  return { accepted: one(), decided: one(), refused: one() };
}

function latencies(histograms: Record<Event, Histogram>): Latencies {
  const ms = (micros: number) => Math.round(micros) / 1_000;
  const of = (h: Histogram): Latency => ({
    count: h.totalCount,
    p50: ms(h.getValueAtPercentile(50)),
    p99: ms(h.getValueAtPercentile(99)),
    max: ms(h.maxValue),
  });
  return {
    accepted: of(histograms.accepted),
    decided: of(histograms.decided),
    refused: of(histograms.refused),
  };
}
