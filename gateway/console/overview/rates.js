// Orders per second by what became of them. "Sold out" is normal in a sale; a 503 is not.
import { againLaterWords } from "../reason-words.js";
import { brief, duration } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Figure } from "../ui/parts.js";

export function Rates({ value: orders, waits }) {
  const wait = waits.why === "" ? waits.value : undefined;
  return html`<dl class="figures six">
    <${Figure} label="Accepted" value=${brief(orders.accepted)} note=${arriving(orders)} />
    <${Figure} label="Reserved" value=${brief(reserved(orders))} note="got their units" />
    <${Figure} label="Sold out" value=${brief(orders.soldOut)} note="came too late" />
    <${Figure} label="Rejected" value=${brief(orders.rejected)} note=${reasons(orders)} />
    <${Figure} label="Answered 503" value=${brief(orders.shed)}
      level=${orders.shed > 0 ? "warning" : ""} note=${causes(orders)} />
    <${Figure} label="Outcome after" value=${wait ? waitOf(wait.outcomeP99Ms) : "unknown"}
      note=${waitNote(wait)} />
  </dl>`;
}

/** Of refusals that are no buyer's fault. */
function causes({ shed, refused = {} }) {
  return shed > 0 ? againLaterWords(refused).join("; ") : "to be sent again later";
}

/** Most of a rush is answered at the gateway, once an item is gone. */
function arriving({ accepted, refused }) {
  const early = Object.values(refused ?? {}).reduce((sum, n) => sum + n, 0);
  if (typeof accepted !== "number") return undefined;
  if (early === 0) return "all that arrive";
  return `of ${brief(accepted + early)} that arrive`;
}

function waitNote(wait) {
  if (wait && Number.isNaN(wait.outcomeP99Ms)) return "nothing decided recently";
  if (!wait || Number.isNaN(wait.outcomeP50Ms)) return "99th percentile";
  return `99th percentile; median ${duration(wait.outcomeP50Ms)}`;
}

const waitOf = (ms) => (Number.isNaN(ms) ? "none" : duration(ms));

export const reserved = ({ decided, byOutcome }) =>
  decided === null ? undefined : (byOutcome.reserved ?? 0);

/** The two most frequent reasons, in words. */
function reasons({ byOutcome, rejected }) {
  if (!rejected) return "limits, bad orders";
  const normal = new Set(["reserved", "sold_out"]);
  return Object.entries(byOutcome)
    .filter(([outcome]) => !normal.has(outcome))
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, 2)
    .map(([outcome]) => outcome.replaceAll("_", " "))
    .join(", ");
}
