// The exchange rates in use, those that jumped and wait for an operator, and where they come from.
import { call } from "../session.js";
import { useAsked } from "../ui/asked.js";
import { ask } from "../ui/dialog.js";
import { count } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";
import { newRef } from "./sale-fields.js";

export function Rates({ known, me }) {
  const rates = useAsked("/v1/admin/rates");
  const again = rates.again;
  return html`<${Panel} id="held" title="Rates that jumped" known=${rates} view=${Held} me=${me}
      again=${again} actions=${html`<button onClick=${again}>Refresh</button>`}
      note="A rate too far from the last one is not used until an operator accepts it." />
    <${Panel} id="pairs" title="Exchange rates" known=${rates} view=${InUse} />
    <${Panel} id="sources" title="Sources of rates" known=${known.others} view=${Sources} />`;
}

const timeOf = (text) => new Date(text).getTime();

function Held({ value: { waiting }, me, again }) {
  const columns = [
    { head: "Pair", cell: (r) => html`<b>${r.pair}</b>` },
    { head: "New rate", num: true, cell: (r) => r.value },
    { head: "Last rate", num: true, cell: (r) => r.last },
    { head: "Since", cell: (r) => html`<${Ago} ms=${timeOf(r.since)} />` },
    { head: "State", cell: (r) => html`<${State} level=${LEVELS[r.state]}>${r.state}</${State}>` },
    ...(me.operate
      ? [
          {
            head: "Decide",
            wide: true,
            cell: (r) => html`<span class="acts">
        <button class="small" aria-label="Accept ${r.value} for ${r.pair}"
          onClick=${() => settle("accept", r, again)}>Accept…</button>
        <button class="small danger" aria-label="Refuse ${r.value} for ${r.pair}"
          onClick=${() => settle("refuse", r, again)}>Refuse…</button></span>`,
          },
        ]
      : []),
  ];
  return html`<${Table} label="Rates that jumped" columns=${columns} rows=${waiting}
    keyOf=${(r) => `${r.pair} ${r.value}`} empty="No rate has jumped." />`;
}

const LEVELS = { held: "warning", refused: "notice" };

function settle(verdict, { pair, value, last }, again) {
  const ref = newRef();
  const accepts = verdict === "accept";
  ask({
    ...(accepts
      ? { title: `Accept ${value} for ${pair}`, verb: "Accept the rate" }
      : { title: `Refuse ${value} for ${pair}`, verb: "Refuse the rate", danger: true }),
    lines: accepts
      ? [
          [`1 ${pair.slice(0, 3)} in ${pair.slice(4)}`, last, value],
          "Later rates are compared with it",
        ]
      : [
          "This rate is ignored, and so are those near it",
          "Once the last rate is too old, orders in that currency end as fx_unavailable",
        ],
    async act() {
      const sent = await call("POST", `/v1/admin/rates/${verdict}`, { pair, value }, ref);
      if (!sent.ok) throw new Error(sent.problem);
      again();
      return accepts ? `${pair}: ${value} is used` : `${pair}: ${value} is refused`;
    },
  });
}

function InUse({ value: { rates } }) {
  const columns = [
    { head: "Pair", cell: (r) => html`<b>${r.pair}</b>` },
    { head: "Rate", num: true, cell: (r) => r.value },
    { head: "Age", cell: (r) => html`<${Ago} ms=${timeOf(r.at)} suffix="old" />` },
  ];
  return html`<${Table} label="Exchange rates" columns=${columns} keyOf=${(r) => r.pair}
    rows=${rates.toSorted((a, b) => a.pair.localeCompare(b.pair))}
    empty="There are no rates: orders in another currency than their sale's wait for one." />`;
}

function Sources({ value }) {
  const columns = [
    { head: "Role", cell: (r) => html`<b>${r.id}</b>` },
    { head: "Source", wide: true, cell: (r) => r.source },
    { head: "Pairs", num: true, cell: (r) => count(r.pairs) },
    { head: "Last sent", cell: (r) => (r.lastMs > 0 ? html`<${Ago} ms=${r.lastMs} />` : "never") },
  ];
  return html`<${Table} label="Sources of rates" columns=${columns} keyOf=${(r) => r.id}
    rows=${value.filter((r) => r.kind === "rates")}
    empty="No rate source is running. Orders in other currencies wait for one." />`;
}
