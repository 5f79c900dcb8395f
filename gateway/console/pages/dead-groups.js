// Groups dead letters by queue and reason, and adds up what they are about.
import { money } from "../ui/format.js";
import { html } from "../ui/html.js";
import { madeMs } from "../ui/time.js";

/** The largest group first. */
export function groupsOf(letters) {
  const groups = new Map();
  for (const letter of letters) {
    const { queue, reason = "" } = letter;
    const key = `${queue} ${reason}`;
    const group = groups.get(key) ?? { key, queue, reason, letters: [] };
    group.letters.push(letter);
    groups.set(key, group);
  }
  return [...groups.values()]
    .map((group) => ({
      ...group,
      letters: group.letters.toSorted(olderFirst),
      oldestMs: oldest(group.letters),
    }))
    .toSorted((a, b) => b.letters.length - a.letters.length);
}

const partsOf = (body) =>
  (Array.isArray(body) ? body : [body]).filter((p) => p && typeof p === "object");

/** When it became a letter, if it says so; else when its order was made. */
export function atOf({ body, order }) {
  const [first] = partsOf(body);
  if (typeof first?.atMs === "number") return first.atMs;
  return order ? madeMs(order) : undefined;
}

/** New letters come last, so that a page of them stays as it is while somebody selects. */
const olderFirst = (a, b) =>
  (atOf(a) ?? Number.POSITIVE_INFINITY) - (atOf(b) ?? Number.POSITIVE_INFINITY) ||
  a.id.localeCompare(b.id);

function oldest(letters) {
  const times = letters.map(atOf).filter((ms) => ms !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

/** What the letters say of money, by currency; letters that name no amount are counted apart. */
export function Amounts({ letters }) {
  const sums = new Map();
  let silent = 0;
  for (const { body } of letters) {
    const [{ amount, currency } = {}] = partsOf(body);
    if (typeof amount === "number" && /^[A-Z]{3}$/.test(currency))
      sums.set(currency, (sums.get(currency) ?? 0) + amount);
    else silent++;
  }
  if (sums.size === 0) return "not named";
  return html`${[...sums].map(([currency, sum]) => html`<div>${money(sum, currency)}</div>`)}
    ${silent > 0 && html`<small>${silent} name none</small>`}`;
}
