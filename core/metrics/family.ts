// A metric family as data, and the usual ways to make its samples.
import type { HistogramReport } from "../domain/report.ts";

export type Labels = Readonly<Record<string, string | number>>;
export type Sample = readonly [labels: Labels, value: number];

export interface Family<R> {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: (report: R) => readonly Sample[] | HistogramReport;
}

export const family = <R>(
  type: Family<R>["type"],
  name: string,
  help: string,
  samples: Family<R>["samples"],
): Family<R> => ({
  type,
  name,
  help,
  samples,
});
export const one = (value: number): readonly Sample[] => [[{}, value]];
export const by = (label: string, counts: Readonly<Record<string, number>>): readonly Sample[] =>
  Object.entries(counts).map(([key, n]) => [{ [label]: key }, n]);
/** One sample per state: 1 for the current one, 0 for the others. */
export const is = (state: string, states: readonly string[]): readonly Sample[] =>
  states.map((s) => [{ state: s }, s === state ? 1 : 0]);
