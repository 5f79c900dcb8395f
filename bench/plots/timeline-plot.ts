// A run over time: rates, orders that wait, and latencies.
import { chartSvg, type Line, type Panel } from "./chart.ts";
import type { Moment } from "./moments.ts";
import { linearScale, logScale } from "./scale.ts";
import type { Tone } from "./style.ts";

const RATE_HEIGHT = 150;
const WAITING_HEIGHT = 90;
const LATENCY_HEIGHT = 150;
const PANEL_TICKS = 4;

export function timelinePlot(title: string, subtitle: string, moments: readonly Moment[]): string {
  const line = (name: string, tone: Tone, value: (moment: Moment) => number | undefined): Line => ({
    ...{ name, tone },
    points: moments.flatMap((moment) => {
      const y = value(moment);
      return y === undefined ? [] : [{ x: moment.atS, y }];
    }),
  });
  const refused = moments.some((moment) => moment.refused > 0);
  return chartSvg({
    ...{ title, subtitle },
    x: linearScale(moments[moments.length - 1]?.atS ?? 1, 8),
    xTitle: "seconds",
    panels: [
      linear("orders a second", RATE_HEIGHT, [
        line("sent", "grey", ({ sent }) => sent),
        line("accepted", "blue", ({ accepted }) => accepted),
        line("decided", "orange", ({ decided }) => decided),
        ...(refused ? [line("refused", "red", (moment) => moment.refused)] : []),
      ]),
      linear("orders accepted and not yet decided", WAITING_HEIGHT, [
        line("waiting", "violet", ({ waiting }) => waiting),
      ]),
      logarithmic("latency, ms", LATENCY_HEIGHT, [
        line("accepted p50", "blue", ({ acceptedP50 }) => acceptedP50),
        { ...line("accepted p99", "blue", ({ acceptedP99 }) => acceptedP99), style: "dashed" },
        line("decided p50", "orange", ({ decidedP50 }) => decidedP50),
        { ...line("decided p99", "orange", ({ decidedP99 }) => decidedP99), style: "dashed" },
      ]),
    ],
  });
}

function linear(title: string, height: number, lines: readonly Line[]): Panel {
  return { title, height, lines, y: linearScale(Math.max(0, ...valuesOf(lines)), PANEL_TICKS) };
}

function logarithmic(title: string, height: number, lines: readonly Line[]): Panel {
  const values = valuesOf(lines).filter((value) => value > 0);
  const [least, most] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [1, 10];
  return { title, height, lines, y: logScale(least, most) };
}

function valuesOf(lines: readonly Line[]): number[] {
  return lines.flatMap(({ points }) => points.map(({ y }) => y));
}
