// A line chart by uPlot, redrawn when its data, its width or the colours change.
import { html, useEffect, useRef } from "./html.js";

const HEIGHT = 200;

/** uPlot's steps, but no part of a second: there is one value a second. */
const STEPS_S = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800],
  ...[3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400],
];

/**
 * `lines`: [{name, values, colour, dash?}], colours by CSS variable; `unit`: number → text;
 * `least`: what the axis reaches at least, so that idle is not drawn as a mountain.
 */
export function Chart({ label, times, lines, unit, least }) {
  const box = useRef();
  const drawn = useRef();
  const data = [times, ...lines.map((line) => line.values)];
  const latest = useRef();
  latest.current = data;
  useEffect(() => {
    const element = box.current;
    const draw = () => {
      drawn.current?.destroy();
      drawn.current = new uPlot(optionsOf(element, lines, unit, least), latest.current, element);
    };
    draw();
    const resized = new ResizeObserver(() => {
      const width = widthOf(element);
      if (width !== drawn.current?.width) drawn.current?.setSize({ width, height: HEIGHT });
    });
    resized.observe(element);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", draw);
      drawn.current?.destroy();
      drawn.current = undefined;
    };
  }, [lines.map((line) => line.name).join()]);
  useEffect(() => drawn.current?.setData(data));
  const now = lines.map(({ name, values }) => `${name} ${unit(values.at(-1))}`).join(", ");
  return html`<figure class="chart">
    <div ref=${box} role="img" aria-label="${label}: now ${now}"></div>
    <figcaption>
      ${lines.map(
        ({ name, values, colour, dash }) => html`<span>
          <svg viewBox="0 0 24 4" aria-hidden="true">
            <line x1="0" y1="2" x2="24" y2="2" class=${colour}
              stroke-dasharray=${dash?.join(" ")} />
          </svg>${name} <b>${unit(values.at(-1))}</b></span>`,
      )}
    </figcaption>
  </figure>`;
}

/** A canvas cannot use the page's CSS variables, so take the computed colours. */
function colourIn(box) {
  return (name) => {
    box.style.color = `var(--${name})`;
    const { color } = getComputedStyle(box);
    box.style.color = "";
    return color;
  };
}

function lonely(plot, series) {
  const values = plot.data[series];
  const isGap = (i) => values[i] === null || values[i] === undefined;
  return values.flatMap((_, i) => (!isGap(i) && isGap(i - 1) && isGap(i + 1) ? [i] : []));
}

const widthOf = (box) => Math.max(200, box.clientWidth);

function optionsOf(box, lines, unit, least) {
  const colour = colourIn(box);
  const axis = {
    stroke: colour("dim"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const clock = (timeStyle) => new Intl.DateTimeFormat(undefined, { timeStyle });
  const [seconds, minutes] = [clock("medium"), clock("short")];
  const times = (_, splits, __, ___, step) =>
    splits.map((s) => (step < 60 ? seconds : minutes).format(new Date(s * 1_000)));
  return {
    width: widthOf(box),
    height: HEIGHT,
    // The last time of the axis is not cut off.
    padding: [8, 28, 0, 0],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.name,
        stroke: colour(line.colour),
        width: 2,
        dash: line.dash,
        spanGaps: false,
        // A value between two gaps has no line.
        points: { show: true, size: 5, filter: lonely },
      })),
    ],
    axes: [
      { ...axis, values: times, incrs: STEPS_S, space: 110, size: 30 },
      { ...axis, size: 64, values: (_, splits) => splits.map((v) => unit(v)) },
    ],
    scales: { y: { range: (_, __, high) => [0, Math.max(least, (high ?? 0) * 1.15)] } },
    cursor: { show: false },
    legend: { show: false },
  };
}
