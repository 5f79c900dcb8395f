// Line charts as SVG text: one or more panels over a common x axis, every line labelled at its end.
import type { Scale } from "./scale.ts";
import { STYLE, type Tone } from "./style.ts";

export interface Line {
  readonly name: string;
  readonly tone: Tone;
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly style?: "bold" | "dashed";
  /** Marks each point. */
  readonly dots?: boolean;
  /** Writes the value beside each point. */
  readonly values?: boolean;
}

export interface Panel {
  /** Names quantity and unit. */
  readonly title: string;
  readonly y: Scale;
  readonly lines: readonly Line[];
  readonly height: number;
}

export interface Chart {
  readonly title: string;
  readonly subtitle: string;
  readonly x: Scale;
  /** Names quantity and unit. */
  readonly xTitle: string;
  readonly panels: readonly Panel[];
}

const WIDTH = 760;
const LEFT = 64;
/** Room for the labels at the ends of lines. */
const RIGHT = 148;
const HEAD = 62;
const PANEL_HEAD = 26;
const PANEL_GAP = 20;
const FOOT = 48;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
/** Least distance between the baselines of two labels. */
const LABEL_STEP = 15;
/** Labels of ticks need this much room. */
const TICK_ROOM = 44;

export function chartSvg({ title, subtitle, x, xTitle, panels }: Chart): string {
  const body: string[] = [];
  let top = HEAD;
  for (const panel of panels) {
    body.push(panelSvg(panel, x, top + PANEL_HEAD));
    top += PANEL_HEAD + panel.height + PANEL_GAP;
  }
  const bottom = top - PANEL_GAP;
  const height = bottom + FOOT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}"
  height="${height}" role="img" aria-labelledby="title desc">
<title id="title">${escaped(title)}</title>
<desc id="desc">${escaped(subtitle)}</desc>
<style>${STYLE}</style>
<rect class="surface" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8"/>
${text(20, 28, title, "title")}
${text(20, 47, subtitle, "soft")}
${body.join("\n")}
${xAxis(x, bottom, xTitle)}
</svg>
`;
}

function panelSvg({ title, y, lines, height }: Panel, x: Scale, top: number): string {
  const down = (value: number) => top + height * (1 - y.at(value));
  const right = (value: number) => LEFT + PLOT_WIDTH * x.at(value);
  const ticks = y.ticks.map((tick) => {
    const at = down(tick);
    return `${rule("grid", LEFT, at, LEFT + PLOT_WIDTH, at)}
${text(LEFT - 8, at + 4, short(tick), "soft", "end")}`;
  });
  const drawn = lines.filter(({ points }) => points.length > 0);
  const shapes = drawn.map((line) => lineSvg(line, right, down));
  return [
    text(LEFT, top - 10, title, "panel"),
    ...ticks,
    ...shapes,
    endLabels(drawn, right, down, top, top + height),
  ].join("\n");
}

type Position = (value: number) => number;

function lineSvg({ tone, points, style, dots, values }: Line, right: Position, down: Position) {
  const at = points.map(({ x, y }) => ({ x: right(x), y: down(y), value: y }));
  const path = at.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${fixed(x)} ${fixed(y)}`).join("");
  const marks = dots
    ? at.map(({ x, y }) => `<circle class="dot ${tone}" cx="${fixed(x)}" cy="${fixed(y)}" r="3"/>`)
    : [];
  const labels = values
    ? at.slice(0, -1).map(({ x, y, value }) => text(x + 6, y - 8, short(value), `end ${tone} halo`))
    : [];
  const shape = `<path class="line ${tone} ${style ?? ""}" d="${path}"/>`;
  return [shape, ...marks, ...labels].join("\n");
}

/** A line's name and last value, beside its end; labels that would overlap move apart. */
function endLabels(
  lines: readonly Line[],
  right: Position,
  down: Position,
  top: number,
  bottom: number,
): string {
  const ends = lines.flatMap(({ name, tone, points }) => {
    const last = points[points.length - 1];
    return last ? [{ name, tone, x: right(last.x), y: down(last.y), value: last.y }] : [];
  });
  ends.sort((a, b) => a.y - b.y);
  const places = spreadOut(
    ends.map(({ y }) => y),
    top,
    bottom,
  );
  return ends
    .map(({ name, tone, x, y, value }, i) => {
      const at = places[i] ?? y;
      const lead = rule(`lead ${tone}`, x + 5, y, LEFT + PLOT_WIDTH + 14, at);
      const label = text(LEFT + PLOT_WIDTH + 18, at + 4, `${name} ${short(value)}`, `end ${tone}`);
      return `${lead}\n${label}`;
    })
    .join("\n");
}

/** Moves sorted positions apart, as little as it can, within the bounds. */
export function spreadOut(sorted: readonly number[], top: number, bottom: number): number[] {
  const placed: number[] = [];
  for (const y of sorted)
    placed.push(Math.max(y, (placed[placed.length - 1] ?? top - LABEL_STEP) + LABEL_STEP));
  let limit = bottom;
  for (let i = placed.length - 1; i >= 0; i--) {
    placed[i] = Math.min(placed[i] ?? limit, limit);
    limit = (placed[i] ?? limit) - LABEL_STEP;
  }
  return placed;
}

function xAxis(x: Scale, y: number, title: string): string {
  let free = 0;
  const ticks = x.ticks.map((tick) => {
    const at = LEFT + PLOT_WIDTH * x.at(tick);
    const label = at >= free ? text(at, y + 18, short(tick), "soft", "middle") : "";
    if (label) free = at + TICK_ROOM;
    return `${rule("axis", at, y, at, y + 4)}\n${label}`;
  });
  const axis = rule("axis", LEFT, y, LEFT + PLOT_WIDTH, y);
  return [axis, ...ticks, text(LEFT + PLOT_WIDTH, y + 37, title, "soft", "end")].join("\n");
}

function rule(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  const ends = `x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}"`;
  return `<line class="${kind}" ${ends}/>`;
}

function text(x: number, y: number, content: string, kind: string, anchor = "start"): string {
  const place = `x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}"`;
  return `<text class="${kind}" ${place}>${escaped(content)}</text>`;
}

const fixed = (value: number): string => String(Math.round(value * 10) / 10);

/** A number with as many digits as a plot can use. */
export function short(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return value >= 10 ? value.toFixed(0) : String(Number(value.toPrecision(2)));
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
