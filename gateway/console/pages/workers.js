// Workers, gateways by region, shards, and the other roles: what each does, and pausing by hand.
import { signalWords } from "../reason-words.js";
import { call } from "../session.js";
import { ask } from "../ui/dialog.js";
import { bytes, count, duration, plural } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { State } from "../ui/parts.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";
import { Gateways } from "./gateways.js";

export function WorkersPage({ known, me }) {
  const all = html`<button id="pause-all" onClick=${() => byHand("*", "pause")}>Pause all…</button>
    <button id="resume-all" onClick=${() => byHand("*", "resume")}>Resume all…</button>`;
  return html`<${Panel} id="workers" title="Workers" known=${known.workers} view=${Workers}
      me=${me} actions=${me.operate && all} note="They decide orders, each for its shards." />
    ${
      known.lost.value?.length > 0 &&
      html`<${Panel} id="lost" title="Stopped reporting" known=${known.lost} view=${Lost} />`
    }
    <${Panel} id="gateways" title="Regions and gateways" known=${known.gateways} view=${Gateways} />
    <${Panel} id="roles" title="Payments, services, rates, webhooks" known=${known.others}
      view=${Others} me=${me} />
    <${Panel} id="shards" title="Shards" known=${known.shards} view=${Shards} />`;
}

const levelOf = { running: "ok", slowed: "notice", paused: "warning" };

/** The governor's state with its reasons; `other` replaces it where that matters more. */
function Governor({ governor: g, other }) {
  const signals = Object.entries(g.signals).map(([name, v]) => `${name} ${v}`);
  const words = other || [g.state, ...signalWords(g)].join(" · ");
  const level = other ? (other.startsWith("halted") ? "trouble" : "warning") : levelOf[g.state];
  return html`<${State} level=${level ?? "unknown"} title=${signals.join(", ")}>
    ${words}</${State}>`;
}

const isPaused = ({ governor }) => governor.reasons.includes("operator");

/** In a column of its own, first after the name, so that it is never cut off. */
function Hand({ role }) {
  const what = isPaused(role) ? "resume" : "pause";
  return html`<button class="small" onClick=${() => byHand(role.id, what)}
    aria-label="${what === "pause" ? "Pause" : "Resume"} ${role.id}">
    ${what === "pause" ? "Pause" : "Resume"}</button>`;
}

function Workers({ value, me }) {
  const columns = [
    { head: "Worker", cell: (w) => html`<b>${w.id}</b>` },
    ...(me.operate ? [{ head: "By hand", cell: (w) => html`<${Hand} role=${w} />` }] : []),
    {
      head: "State",
      wide: true,
      cell: (w) => html`<${Governor} governor=${w.governor}
        other=${w.state === "running" ? "" : w.state} />`,
    },
    { head: "Shards", wide: true, cell: (w) => w.shards.map((s) => s.shard).join(" ") || "none" },
    { head: "In flight", num: true, cell: (w) => count(w.shards.reduce((n, s) => n + s.load, 0)) },
    { head: "Unrecorded", num: true, cell: (w) => count(w.unrecorded) },
    { head: "Runs late", num: true, cell: (w) => duration(w.loopDelayMs) },
    { head: "Memory", num: true, cell: (w) => bytes(w.rssBytes) },
  ];
  return html`<${Table} label="Workers" columns=${columns} rows=${value} keyOf=${(w) => w.id}
    empty="No workers are running. Accepted orders wait in the brokers." />`;
}

/** A sign only where orders wait too long. */
function Lag({ ms }) {
  if (ms <= 1_000) return duration(ms);
  return html`<${State} level=${ms > 5_000 ? "trouble" : "warning"}>${duration(ms)}</${State}>`;
}

function Shards({ value }) {
  const columns = [
    { head: "Shard", cell: (s) => html`<b>${s.shard}</b>` },
    { head: "Region", cell: (s) => s.region },
    { head: "Oldest order", num: true, cell: (s) => html`<${Lag} ms=${s.lagMs} />` },
    { head: "In the queue", num: true, cell: (s) => count(s.ready) },
    { head: "In flight", num: true, cell: (s) => count(s.load) },
    { head: "Owner", cell: (s) => s.owner },
  ];
  return html`<${Table} label="Shards" columns=${columns} rows=${value}
    keyOf=${(s) => `${s.shard} ${s.region}`} empty="No worker reports a shard." />`;
}

function Lost({ value }) {
  const columns = [
    { head: "Role", cell: (r) => html`<b>${r.id}</b>` },
    { head: "Kind", cell: (r) => r.kind },
    { head: "Last seen", cell: (r) => html`<${Ago} ms=${r.lastSeenMs} />` },
  ];
  return html`<${Table} label="Stopped reporting" columns=${columns} rows=${value}
    keyOf=${(r) => r.id} />`;
}

/** `putOff` and `put_off` as words. */
const spaced = (name) =>
  name.replaceAll("_", " ").replaceAll(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);

const words = (counts) =>
  Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${spaced(name)} ${count(n)}`)
    .join(", ") || "nothing yet";

const DOES = {
  payments: (p) => `charges: ${words(p.answers)}; in flight ${count(p.load)}`,
  fulfil: (f) => `service ${f.service}; parts: ${words(f.parts)}`,
  rates: (r) => `exchange rates: ${plural(r.pairs, "pair")} from ${r.source}`,
  sender: (s) => `webhook endpoints ${count(s.endpoints)}; events held ${count(s.held)}`,
};

function RoleState({ role }) {
  if (role.kind === "payments" && role.breaker !== "closed")
    return html`<${State} level="trouble">charging paused: breaker ${role.breaker}</${State}>`;
  return role.governor
    ? html`<${Governor} governor=${role.governor} />`
    : html`<${State} level="ok">running</${State}>`;
}

function Others({ value, me }) {
  const columns = [
    { head: "Role", cell: (r) => html`<b>${r.id}</b>` },
    ...(me.operate
      ? [{ head: "By hand", cell: (r) => (r.governor ? html`<${Hand} role=${r} />` : "–") }]
      : []),
    { head: "State", wide: true, cell: (r) => html`<${RoleState} role=${r} />` },
    { head: "Does", wide: true, cell: (r) => DOES[r.kind]?.(r) ?? r.kind },
  ];
  return html`<${Table} label="Other roles" columns=${columns} rows=${value} keyOf=${(r) => r.id}
    empty="No payment worker, service or rate source reports." />`;
}

const EFFECTS = {
  pause: "stops deciding at its next heartbeat; its shards go to the others",
  resume: "decides again within a second",
};

const ALL_PAUSED = [
  "All workers stop at their next heartbeat; accepted orders wait in the brokers",
  "No order is decided until you resume one",
];

function byHand(id, what) {
  const whom = id === "*" ? "all workers" : id;
  const verb = what === "pause" ? "Pause" : "Resume";
  ask({
    title: `${verb} ${whom}`,
    verb,
    danger: what === "pause" && id === "*",
    lines: what === "pause" && id === "*" ? ALL_PAUSED : [`${whom}: ${EFFECTS[what]}`],
    async act() {
      const path = `/v1/admin/workers/${encodeURIComponent(id)}/${what}`;
      const { ok, problem } = await call("POST", path, {});
      if (!ok) throw new Error(problem);
      return `${whom}: ${what}d`;
    },
  });
}
