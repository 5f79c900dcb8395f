// The plot of `bench curve`: CPU per order against the rate, in all and by part.
import { PARTS } from "../load/cost.ts";
import type { CurvePoint, CurveResult } from "../load/curve.ts";
import { titleOf } from "../load/curve-page.ts";
import { chartSvg, type Line } from "./chart.ts";
import { logScale, logScaleAt } from "./scale.ts";
import type { Tone } from "./style.ts";

const TONES: Readonly<Record<(typeof PARTS)[number], Tone>> = {
  gateway: "blue",
  worker: "orange",
  redis: "red",
  rabbitmq: "teal",
  postgres: "violet",
};
const HEIGHT = 300;

/** `against`: an earlier result, drawn for comparison. */
export function curvePlot(result: CurveResult, against?: CurveResult): string {
  const lines: Line[] = [
    ...PARTS.map((part) => ({
      name: titleOf(part),
      tone: TONES[part],
      dots: true,
      points: pointsOf(result, ({ cost }) => cost.parts[part]),
    })),
    ...earlier(result, against),
    {
      ...{ name: "all", tone: "ink", style: "bold", dots: true, values: true },
      points: pointsOf(result, ({ cost }) => cost.all),
    } as const,
  ];
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y));
  const y = logScale(Math.min(...values), Math.max(...values));
  const { machine, ledger } = result;
  return chartSvg({
    title: "What an order costs, by load",
    subtitle: `${machine.cores} × ${machine.cpu}, everything on them; ledger: ${ledger}`,
    x: logScaleAt(result.points.map(({ offered }) => offered)),
    xTitle: "orders offered a second",
    panels: [{ title: "CPU per order, µs", y, lines, height: HEIGHT }],
  });
}

function earlier(result: CurveResult, against?: CurveResult): Line[] {
  if (!against) return [];
  const rates = new Set(result.points.map(({ offered }) => offered));
  const points = pointsOf(against, ({ cost }) => cost.all).filter(({ x }) => rates.has(x));
  return [{ name: "all, before", tone: "grey", style: "dashed", dots: true, points }];
}

/** Values that are zero have no place on a logarithmic axis. */
function pointsOf({ points }: CurveResult, value: (point: CurvePoint) => number | undefined) {
  return points.flatMap((point) => {
    const y = value(point);
    return y !== undefined && y > 0 ? [{ x: point.offered, y }] : [];
  });
}
