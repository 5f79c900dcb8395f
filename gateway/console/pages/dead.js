// Dead letters: grouped by queue and reason, with age and amount. Actions concern the rows that are
// selected, never a filter: what is not in sight is not touched.
import { address, go } from "../router.js";
import { useAsked } from "../ui/asked.js";
import { count, list, plural } from "../ui/format.js";
import { html, useEffect, useRef, useState } from "../ui/html.js";
import { Pager, pageOf } from "../ui/pager.js";
import { Panel } from "../ui/panel.js";
import { Table } from "../ui/table.js";
import { Ago } from "../ui/time.js";
import { actOn } from "./dead-actions.js";
import { Amounts, atOf, groupsOf } from "./dead-groups.js";
import { Letter } from "./letter.js";

/** Letters read of each queue, oldest first. */
const MOST = 1_000;
const PAGE = 50;
/** A number that has changed for less than this may be that of a listing. */
const SETTLED_MS = 1_500;
const SELDOM_MS = 10_000;
const UNROUTED = "fulfilment.unrouted";

export function DeadPage({ query, known, me }) {
  const queue = query.get("queue") ?? "";
  const reason = query.get("reason");
  const ask = new URLSearchParams({ limit: MOST, ...(queue ? { queue } : {}) });
  const letters = useAsked(`/v1/admin/dead?${ask}`);
  useEachChange(known.dead, letters.again);
  const [shown, show] = useState();
  const actions = html`<label>Queue
      <select id="dead-queue" onChange=${(e) => go(address("dead", { queue: e.target.value }))}>
        <option value="" selected=${queue === ""}>all that failed</option>
        ${["orders.dead", "payments.dead", UNROUTED].map(
          (q) => html`<option selected=${q === queue}>${q}</option>`,
        )}
      </select></label>
    <button onClick=${letters.again}>Refresh</button>`;
  return html`<${Counts} known=${known.dead} />
    <${Panel} id="dead" title="By reason" known=${letters} view=${Groups} actions=${actions}
      queue=${queue} reason=${reason} me=${me} show=${show} again=${letters.again} />
    ${
      shown &&
      html`<${Letter} letter=${shown} me=${me} again=${letters.again}
      close=${() => show(undefined)} />`
    }`;
}

/**
 * The letters are read again only when their number has changed, and then seldom: each listing is
 * audited, and takes the letters out of their queues for a moment, which changes their number too.
 */
function useEachChange({ value, why }, again) {
  const counted = why === "" ? JSON.stringify((value ?? []).map((d) => d.messages)) : undefined;
  const now = useRef();
  now.current = { counted, again };
  const state = useRef({ listed: undefined, atMs: Number.NEGATIVE_INFINITY }).current;
  const list = () => {
    state.timer = undefined;
    if (now.current.counted === undefined || now.current.counted === state.listed) return;
    Object.assign(state, { listed: now.current.counted, atMs: performance.now() });
    now.current.again();
  };
  useEffect(() => {
    if (counted === undefined) return;
    state.listed ??= counted;
    if (state.timer !== undefined || counted === state.listed) return;
    const dueMs = state.atMs + SELDOM_MS - performance.now();
    state.timer = setTimeout(list, Math.max(SETTLED_MS, dueMs));
  }, [counted]);
  useEffect(() => () => clearTimeout(state.timer), []);
}

const Counts = ({ known }) =>
  html`<${Panel} id="dead-counts" title="In the queues" known=${known} view=${InQueues} />`;

/** Workers count every few seconds; while a region's broker is away, nobody counts there. */
const OLD_MS = 60_000;
const isOld = ({ atMs }) => typeof atMs === "number" && Date.now() - atMs > OLD_MS;

const Counted = (d) =>
  isOld(d)
    ? html`${count(d.messages)} <small class="unknown">as of <${Ago} ms=${d.atMs} /></small>`
    : count(d.messages);

function InQueues({ value }) {
  const columns = [
    {
      head: "Queue",
      cell: (d) => html`<a href=${address("dead", { queue: d.queue })}>${d.queue}</a>`,
    },
    { head: "Region", cell: (d) => d.region },
    { head: "Letters", num: true, cell: Counted },
    {
      head: "Not empty for",
      cell: (d) =>
        d.messages === 0
          ? isOld(d)
            ? "unknown"
            : "empty"
          : html`<${Ago}
        ms=${d.sinceMs ?? undefined} suffix="" />`,
    },
  ];
  return html`<${Table} label="Letters in the queues" columns=${columns} rows=${value}
    keyOf=${(d) => `${d.queue} ${d.region}`} empty="No queue has been counted yet." />`;
}

const Silent = ({ regions }) => html`<p class="unknown">
  ${list(regions)} did not answer: letters there are not listed.</p>`;

const Waiting = ({ region, messages }) => html`<p class="unknown">
  ${count(messages)} more in <a href=${address("dead", { queue: UNROUTED })}>${UNROUTED}</a> of
  ${" "}${region}: they wait for a <a href=${address("rates-and-routes")}>route</a>.</p>`;

function Groups({
  value: { letters, unasked = [], waiting = [] },
  queue,
  reason,
  me,
  show,
  again,
}) {
  const besides =
    unasked.length + waiting.length > 0 &&
    html`${unasked.length > 0 && html`<${Silent} regions=${unasked} />`}
      ${waiting.map((w) => html`<${Waiting} ...${w} />`)}`;
  const groups = groupsOf(letters);
  if (groups.length === 0) return besides || html`<p class="empty">No dead letters here.</p>`;
  const columns = [
    { head: "Queue", cell: (g) => g.queue },
    {
      head: "Reason",
      wide: true,
      cell: (g) => html`<a
        href=${address("dead", { queue, reason: g.key })}>${g.reason || "none given"}</a>`,
    },
    { head: "Letters", num: true, cell: (g) => count(g.letters.length) },
    { head: "Oldest", cell: (g) => html`<${Ago} ms=${g.oldestMs} suffix="old" />` },
    { head: "Amount", num: true, cell: (g) => html`<${Amounts} letters=${g.letters} />` },
  ];
  const chosen =
    groups.find((g) => g.key === reason) ?? (groups.length === 1 ? groups[0] : undefined);
  return html`${besides}<${Table} label="Dead letters by reason" columns=${columns} rows=${groups}
      keyOf=${(g) => g.key} rowClass=${(g) => (g === chosen ? "chosen" : "")} />
    ${
      letters.length >= MOST &&
      html`<p class="unknown">Only the oldest ${count(MOST)} of each queue are listed. There may be
      more behind them.</p>`
    }
    ${
      chosen &&
      html`<${Rows} key=${chosen.key} group=${chosen} me=${me} show=${show}
      again=${again} />`
    }`;
}

function Rows({ group, me, show, again }) {
  const [page, setPage] = useState(0);
  const [picked, setPicked] = useState(new Set());
  const { at, pages, shown: rows } = pageOf(group.letters, page, PAGE);
  // Letters that have gone meanwhile are no longer selected.
  const chosen = rows.filter(({ id }) => picked.has(id));
  const toggle = (ids, on) => {
    const next = new Set(picked);
    for (const id of ids) next[on ? "add" : "delete"](id);
    setPicked(next);
  };
  const turn = (to) => {
    setPage(to);
    setPicked(new Set());
  };
  const all = rows.length > 0 && chosen.length === rows.length;
  const columns = [
    ...(me.operate
      ? [
          {
            head: html`<input type="checkbox" aria-label="Select all on this page" checked=${all}
        onChange=${(e) =>
          toggle(
            rows.map((l) => l.id),
            e.target.checked,
          )} />`,
            cell: (l) => html`<input type="checkbox" aria-label="Select ${l.id}"
        checked=${picked.has(l.id)} onChange=${(e) => toggle([l.id], e.target.checked)} />`,
          },
        ]
      : []),
    {
      head: "Letter",
      cell: (l) => html`<button class="link" onClick=${() => show(l)}>${l.id}
        </button>`,
    },
    { head: "Region", cell: (l) => l.region ?? "" },
    { head: "Order", wide: true, cell: (l) => orderLink(l) },
    { head: "Age", cell: (l) => html`<${Ago} ms=${atOf(l)} suffix="" />` },
    { head: "Amount", num: true, cell: (l) => html`<${Amounts} letters=${[l]} />` },
  ];
  return html`<div class="rows" id="letters">
    <header>
      <h3>${plural(group.letters.length, "letter")}: ${group.reason || "no reason"}</h3>
      <div class="actions" role="group" aria-label="With the selected letters">
        ${
          me.operate &&
          html`
          <button id="redrive" disabled=${chosen.length === 0}
            onClick=${() => actOn("redrive", chosen, again)}>${`Redrive ${chosen.length} selected`}
          </button>
          <button id="drop" class="danger" disabled=${chosen.length === 0}
            onClick=${() => actOn("drop", chosen, again)}>Drop ${chosen.length} selected</button>`
        }
      </div>
    </header>
    <${Table} label="Letters" columns=${columns} rows=${rows} keyOf=${(l) => l.id}
      rowClass=${(l) => (picked.has(l.id) ? "chosen" : "")} />
    <${Pager} label="Pages of letters" at=${at} pages=${pages} turn=${turn} />
  </div>`;
}

export function orderLink({ user, order }) {
  if (!order) return user ?? "names none";
  return html`<a class="id" href=${address("orders", { user, id: order })}>${order}</a>`;
}
