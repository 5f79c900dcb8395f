// A picture of an order's way: gateway → queue → decider → ledger → payments → services, with what
// passes and waits at each step. The slow one is marked, and named in words.
import { brief, count, duration } from "../ui/format.js";
import { html } from "../ui/html.js";

const NAMES = {
  gateway: ["Gateway", "accepts"],
  queue: ["Queue", "keeps"],
  decider: ["Decider", "reserves units"],
  ledger: ["Ledger", "records"],
  payments: ["Payments", "charge"],
  services: ["Services", "ship"],
};

/** What is not measured there is left out. Nothing was timed where nothing passed. */
function waitLine({ step, waitMs, perS }) {
  if (step === "services") return "";
  if (typeof waitMs !== "number" && perS === 0) return "no wait";
  return `wait ${duration(waitMs)}`;
}
function waitingLine({ step, waiting }) {
  if (step === "gateway") return "";
  return typeof waiting === "number" ? `${count(waiting)} waiting` : "waiting: unknown";
}
const linesOf = (s) => [waitLine(s), waitingLine(s)].filter((line) => line !== "");

export function Flow({ value: { steps, bottleneck }, stale }) {
  return html`<div class="flow">
    <ol class="steps" aria-label="Steps">
      ${steps.map((s) => html`<${Step} key=${s.step} step=${s} slow=${s.step === bottleneck} />`)}
    </ol>
    <p class="flow-words">${verdictOf(steps, bottleneck, stale)}</p>
  </div>`;
}

function Step({ step, slow }) {
  const [name, does] = NAMES[step.step];
  return html`<li class="step ${slow ? "slow" : ""}">
    <p><b class="name">${name}</b> <span class="does">${slow ? "▲ slow" : does}</span></p>
    <p class="rate">${brief(step.perS)}<span class="unit"> /s</span></p>
    <p class="wait">${linesOf(step).map((line) => html`<span>${line}</span> `)}</p>
  </li>`;
}

/** Of steps that are not known now nothing is said. */
function verdictOf(steps, bottleneck, stale) {
  if (stale) return "Whether a step holds up the others is not known now.";
  if (bottleneck) return html`<b>${NAMES[bottleneck]?.[0]}</b> holds up the others.`;
  return steps.some(({ perS }) => typeof perS !== "number")
    ? "Whether a step holds up the others is not known yet."
    : "No step holds up the others.";
}
