// A run over time: how many orders were offered, accepted and decided in each slice of it, how many
// waited at its end, and how long its orders took.
import type { Slice } from "../load/slices.ts";

export interface Moment {
  /** Its end, in seconds since the start of the run. */
  readonly atS: number;
  /** Orders a second. */
  readonly sent: number;
  readonly accepted: number;
  readonly decided: number;
  readonly refused: number;
  /** Accepted orders without an outcome. */
  readonly waiting: number;
  /** Ms, of the orders that were due in it; undefined if there were none. */
  readonly acceptedP50?: number;
  readonly acceptedP99?: number;
  readonly decidedP50?: number;
  readonly decidedP99?: number;
}

/** Counts since the start of the run. */
interface Report {
  readonly seconds: number;
  readonly sent: number;
  readonly accepted: number;
  readonly decided: number;
  readonly refused: Readonly<Record<string, number>>;
}

const START: Report = { seconds: 0, sent: 0, accepted: 0, decided: 0, refused: {} };

/** `reports` come once a second; a moment ends with each slice. */
export function momentsOf(reports: readonly Report[], slices: readonly Slice[]): Moment[] {
  const moments: Moment[] = [];
  let before = START;
  slices.forEach((slice, at) => {
    const endS = slices[at + 1]?.fromS ?? Number.POSITIVE_INFINITY;
    const report = reports.findLast(({ seconds }) => Math.round(seconds) <= endS);
    if (!report || report.seconds <= before.seconds) return;
    moments.push(momentOf(before, report, slice));
    before = report;
  });
  return moments;
}

function momentOf(before: Report, now: Report, slice: Slice): Moment {
  const perSecond = (count: (report: Report) => number) =>
    Math.round((count(now) - count(before)) / (now.seconds - before.seconds));
  const { accepted, decided } = slice;
  return {
    atS: Math.round(now.seconds),
    sent: perSecond(({ sent }) => sent),
    accepted: perSecond((report) => report.accepted),
    decided: perSecond((report) => report.decided),
    refused: perSecond(({ refused }) => Object.values(refused).reduce((sum, n) => sum + n, 0)),
    waiting: Math.max(0, now.accepted - now.decided),
    ...(accepted.count > 0 ? { acceptedP50: accepted.p50, acceptedP99: accepted.p99 } : {}),
    ...(decided.count > 0 ? { decidedP50: decided.p50, decidedP99: decided.p99 } : {}),
  };
}
