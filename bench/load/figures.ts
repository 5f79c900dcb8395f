// The figures of open-loop runs that are compared with those of another run.
import type { Figures } from "../against.ts";
import { costOf, type PartCost } from "./cost.ts";
import type { CurveResult } from "./curve.ts";
import type { LoadResult } from "./run.ts";
import type { Latencies } from "./slices.ts";

export function loadFigures(load: LoadResult): Figures {
  const { offered, acceptedPerSecond, decidedPerSecond, latency } = load;
  const rate = rateOf(offered);
  return {
    [`${rate}, accepted/s`]: acceptedPerSecond,
    [`${rate}, decided/s`]: decidedPerSecond,
    ...costFigures(rate, costOf(load.cpuMicros)),
    ...latencyFigures(rate, latency),
  };
}

export function curveFigures({ points }: CurveResult): Figures {
  const each = points.map(({ offered, cost, latency }) => ({
    ...costFigures(rateOf(offered), cost),
    ...latencyFigures(rateOf(offered), latency),
  }));
  return Object.assign({}, ...each) as Figures;
}

function costFigures(rate: string, { all, parts }: PartCost): Figures {
  const each = Object.entries(parts).map(([part, micros]) => [`${rate}, ${part}, µs`, micros]);
  return { [`${rate}, CPU per order, µs`]: all, ...Object.fromEntries(each) };
}

function latencyFigures(rate: string, { accepted, decided }: Latencies): Figures {
  return {
    [`${rate}, acknowledged p99, ms`]: accepted.p99,
    [`${rate}, decided p99, ms`]: decided.p99,
  };
}

const rateOf = (offered: number): string => `${offered.toLocaleString("en")}/s`;
