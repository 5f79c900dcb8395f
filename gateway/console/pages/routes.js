// Which service gets which category; below, the exchange rates.
import { call } from "../session.js";
import { useAsked } from "../ui/asked.js";
import { ask } from "../ui/dialog.js";
import { plural } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { Rates } from "./rates.js";
import { newRef } from "./sale-fields.js";

export function RoutesPage({ known, me }) {
  const routes = useAsked("/v1/admin/routes");
  const services = servicesIn(known.others);
  const actions = html`<button onClick=${routes.again}>Refresh</button>
    ${
      me.operate &&
      html`<button class="primary" onClick=${() => setRoute({}, services, routes.again)}>
      Set a route…</button>`
    }`;
  return html`<${Panel} id="unrouted" title="Not shipped" known=${known.routing}
      view=${Unrouted} me=${me} again=${routes.again} services=${services} />
    <${Panel} id="routes" title="Routes" known=${routes} view=${Routes} actions=${actions} me=${me}
      again=${routes.again} services=${services}
      note="Which service gets the paid parts of a category." />
    <${Rates} known=${known} me=${me} />`;
}

/** Names of the services that are running. */
const servicesIn = ({ value = [] }) => [
  ...new Set(value.filter((r) => r.kind === "fulfil").map((r) => r.service)),
];

function notRunning({ service, waiting = 0 }) {
  const waits = waiting > 0 ? `, ${plural(waiting, "paid part")} waiting` : "";
  return `service ${service} is not running${waits}`;
}

/** Categories whose paid parts reach nobody: on sale, or with parts that wait. */
function Unrouted({ value, me, again, services }) {
  const columns = [
    { head: "Category", cell: (r) => html`<b>${r.category}</b>` },
    { head: "Sale", cell: (r) => r.saleId || "over" },
    {
      head: "What is missing",
      wide: true,
      cell: (r) =>
        html`<${State} level="warning">${r.service ? notRunning(r) : "it has no route"}</${State}>`,
    },
    ...(me.operate
      ? [
          {
            head: "Change",
            cell: (r) => html`<button class="small"
        onClick=${() => setRoute({ category: r.category }, services, again)}>Set a route…</button>`,
          },
        ]
      : []),
  ];
  return html`<${Table} label="Not shipped" columns=${columns} rows=${value}
    keyOf=${(r) => `${r.saleId} ${r.category}`}
    empty="Every category on sale has a route to a running service." />`;
}

function Routes({ value: { routes }, me, again, services }) {
  const columns = [
    { head: "Category", cell: (r) => html`<b>${r.category}</b>` },
    { head: "Region", cell: (r) => r.region || "every region" },
    { head: "Service", cell: (r) => r.service },
    ...(me.operate
      ? [
          {
            head: "Change",
            wide: true,
            cell: (r) => html`<span class="acts">
        <button class="small" aria-label="Change the route of ${r.category}"
          onClick=${() => setRoute(r, services, again)}>Change…</button>
        <button class="small danger" aria-label="Remove the route of ${r.category}"
          onClick=${() => unset(r, again)}>Remove…</button></span>`,
          },
        ]
      : []),
  ];
  return html`<${Table} label="Routes" columns=${columns} rows=${routes}
    keyOf=${(r) => `${r.category} ${r.region}`}
    empty="There is no route: paid parts wait until there is one." />`;
}

function setRoute({ category = "", region = "", service = "" }, services, again) {
  const ref = newRef();
  ask({
    title: category ? `Route of ${category}` : "Set a route",
    verb: "Set the route",
    fields: [
      { name: "category", label: "Category", required: true, value: category },
      { name: "service", label: "Service", required: true, value: service, suggest: services },
      { name: "region", label: "Region", value: region, hint: "Empty: every region." },
      {
        name: "coming",
        type: "checkbox",
        label: "The service does not run yet",
        value: false,
        hint: "Otherwise the name of a service that has never run is taken for a typo.",
      },
    ],
    lines: (v) => [
      [`Parts of ${v.category || "the category"} go to`, service || "nobody", v.service || "?"],
      v.region
        ? `For orders accepted in ${v.region}`
        : "In every region without a route of its own",
      "Parts that wait without a route leave at once",
    ],
    async act({ category: of, coming, ...body }) {
      const sent = {
        service: body.service,
        ...(body.region ? { region: body.region } : {}),
        ...(coming ? { new: true } : {}),
      };
      return change("PUT", `/v1/admin/routes/${encodeURIComponent(of)}`, sent, ref, again);
    },
  });
}

function unset({ category, region, service }, again) {
  const ref = newRef();
  ask({
    ...{ title: `Remove the route of ${category}`, verb: "Remove the route", danger: true },
    lines: [
      [`Parts of ${category} go to`, service, "nobody"],
      "Paid parts wait until there is a new route",
    ],
    act() {
      const query = region ? `?region=${encodeURIComponent(region)}` : "";
      const path = `/v1/admin/routes/${encodeURIComponent(category)}${query}`;
      return change("DELETE", path, undefined, ref, again);
    },
  });
}

async function change(method, path, body, ref, again) {
  const { ok, problem, value } = await call(method, path, body, ref);
  if (!ok) throw new Error(problem);
  again();
  return value.applied ? "Every region has the change" : "On record; the brokers get it later";
}
