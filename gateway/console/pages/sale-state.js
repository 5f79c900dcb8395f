// Whether a sale is open, in words.
import { html } from "../ui/html.js";
import { State } from "../ui/parts.js";

export function stateOf({ opensAt, closesAt }, nowMs = Date.now()) {
  if (nowMs < Date.parse(opensAt)) return ["notice", "opens later"];
  return nowMs < Date.parse(closesAt) ? ["ok", "open"] : ["unknown", "closed"];
}

export function SaleState({ sale }) {
  const [level, words] = stateOf(sale);
  return html`<${State} level=${level}>${words}${sale.retired ? ", retired" : ""}</${State}>`;
}
