// A picture of an order's way: gateway → queue → decider → ledger → payments → services, with what
// passes and waits at each step. The slow one is marked, and named in words.
import { brief, count, duration } from "../ui/format.js";
import { html, useEffect, useRef, useState } from "../ui/html.js";

const NAMES = {
  gateway: ["Gateway", "accepts"],
  queue: ["Queue", "keeps"],
  decider: ["Decider", "reserves units"],
  ledger: ["Ledger", "records"],
  payments: ["Payments", "charge"],
  services: ["Services", "ship"],
};
/** What is not measured there is left out; what is measured and unknown says so. */
const waitLine = ({ step, waitMs }) => (step === "services" ? "" : `wait ${duration(waitMs)}`);
const waitingLine = ({ step, waiting }) => {
  if (step === "gateway") return "";
  return typeof waiting === "number" ? `${count(waiting)} waiting` : "waiting: unknown";
};
const linesOf = (s) => [waitLine(s), waitingLine(s)].filter((line) => line !== "");

const BOX = { width: 150, height: 128, gap: 34 };
/** A narrower picture stands upright. */
const NARROW = 700;
const UPRIGHT = { width: 320, height: 76, gap: 24 };

export function Flow({ value: { steps, bottleneck } }) {
  const box = useRef();
  const [upright, setUpright] = useState(false);
  useEffect(() => {
    const element = box.current;
    const resized = new ResizeObserver(() => setUpright(element.clientWidth < NARROW));
    resized.observe(element);
    return () => resized.disconnect();
  }, []);
  return html`<div ref=${box} class="flow">
    <${upright ? Column : Row} steps=${steps} slow=${bottleneck} />
    <p class="flow-words">${
      bottleneck
        ? html`<b>${NAMES[bottleneck]?.[0]}</b> holds up the others.`
        : steps.some(({ perS }) => typeof perS !== "number")
          ? "Whether a step holds up the others is unknown."
          : "No step holds up the others."
    }</p>
  </div>`;
}

function words(steps) {
  return steps
    .map((s) => [`${NAMES[s.step][0]}: ${brief(s.perS)} per second`, ...linesOf(s)].join(", "))
    .join("; ");
}

const wordsOf = ({ step }, slow) => (step === slow ? "▲ slow" : NAMES[step][1]);

function Row({ steps, slow }) {
  const { width, height, gap } = BOX;
  const all = steps.length * (width + gap) - gap;
  return html`<svg viewBox="0 0 ${all + 4} ${height + 4}" role="img" aria-label=${words(steps)}>
    ${steps.map((s, i) => {
      const x = 2 + i * (width + gap);
      return html`<g key=${s.step} class="step ${s.step === slow ? "slow" : ""}">
        <rect x=${x} y="2" width=${width} height=${height} rx="8" />
        <text x=${x + 14} y="26" class="name">${NAMES[s.step][0]}</text>
        <text x=${x + 14} y="43" class="does">${wordsOf(s, slow)}</text>
        <text x=${x + 14} y="75" class="rate">${brief(s.perS)}
          <tspan class="unit"> /s</tspan></text>
        ${linesOf(s).map(
          (line, n) => html`<text x=${x + 14} y=${98 + 17 * n} class="wait">${line}</text>`,
        )}
        ${
          i < steps.length - 1 &&
          html`<path class="arrow" 
          d="M${x + width + 5} ${height / 2 + 2}h${gap - 12}m-6 -5l6 5l-6 5" />`
        }
      </g>`;
    })}
  </svg>`;
}

function Column({ steps, slow }) {
  const { width, height, gap } = UPRIGHT;
  const all = steps.length * (height + gap) - gap;
  return html`<svg viewBox="0 0 ${width + 4} ${all + 4}" role="img" aria-label=${words(steps)}>
    ${steps.map((s, i) => {
      const y = 2 + i * (height + gap);
      return html`<g key=${s.step} class="step ${s.step === slow ? "slow" : ""}">
        <rect x="2" y=${y} width=${width} height=${height} rx="8" />
        <text x="16" y=${y + 30} class="name">${NAMES[s.step][0]}</text>
        <text x="16" y=${y + 52} class="does">${wordsOf(s, slow)}</text>
        <text x="140" y=${y + 31} class="rate">${brief(s.perS)}
          <tspan class="unit"> /s</tspan></text>
        <text x="140" y=${y + 55} class="wait">${linesOf(s).join(", ")}</text>
        ${
          i < steps.length - 1 &&
          html`<path class="arrow" d="M${width / 2} ${y + height + 3}v${gap - 8}m-5 -6l5 6l5 -6" />`
        }
      </g>`;
    })}
  </svg>`;
}
