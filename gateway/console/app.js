// The console: signs an operator in, polls the overview once a second, and shows it.
import { makeCharts } from "./charts.js";
import { deadLetters } from "./dead.js";
import { confirmed, count, el, mb, say, table, time } from "./dom.js";
import { figures, gatewaysOf, Looks, paymentsOf, workersOf } from "./figures.js";

const EVERY_MS = 1_000;
const TIMEOUT_MS = 5_000;
const KEY = "sluice-token";
const $ = (selector) => document.querySelector(selector);
const looks = new Looks();
let looking = false;
let seenMs = 0;
let charts;
let dead;

/** A call to the gateway: {ok, value} or {ok: false, status, problem}. */
async function call(method, path, body) {
  const headers = {
    authorization: `Bearer ${sessionStorage.getItem(KEY)}`,
    ...(body ? { "content-type": "application/json" } : {}),
  };
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(path, {
      method,
      headers,
      signal,
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const value = await response.json().catch(() => ({}));
    return response.ok
      ? { ok: true, value }
      : {
          ok: false,
          status: response.status,
          problem:
            [value.title, value.detail].filter(Boolean).join(": ") || `HTTP ${response.status}`,
        };
  } catch {
    return { ok: false, status: 0, problem: "the gateway does not answer" };
  }
}

function signIn(why = "") {
  sessionStorage.removeItem(KEY);
  $("#sign-in").hidden = false;
  $("#board").hidden = true;
  $("#leave").hidden = true;
  $("#sign-in-why").textContent = why;
  $("#verdict").textContent = "not signed in";
  $("#verdict").className = "pill";
  $("#token").focus();
}

function enter(token) {
  sessionStorage.setItem(KEY, token.trim());
  $("#token").value = "";
  $("#sign-in").hidden = true;
  $("#board").hidden = false;
  $("#leave").hidden = false;
  charts ??= makeCharts({ count, time });
  dead ??= deadLetters(call);
  look();
}

async function look() {
  if (looking || !sessionStorage.getItem(KEY)) return;
  looking = true;
  const { ok, value, status, problem } = await call("GET", "/v1/admin/overview");
  looking = false;
  if (ok) {
    seenMs = performance.now();
    show(value);
    dead(value.dead);
  } else if (status === 401 || status === 403) signIn(problem);
}

/** Shows how old the figures are, even while none arrive. */
function age() {
  if (!sessionStorage.getItem(KEY) || seenMs === 0) return;
  const seconds = Math.round((performance.now() - seenMs) / 1_000);
  document.body.classList.toggle("stale", seconds > 3);
  $("#age").textContent = seconds > 3 ? `no answer for ${seconds} s, retrying` : "live";
  $("#age").className = seconds > 3 ? "bad" : "dim";
}

function show(now) {
  const before = looks.before(now);
  const f = figures(before, now);
  $("#verdict").textContent = f.verdict.words;
  $("#verdict").className = `pill ${f.verdict.level}`;
  const up = (name, state) =>
    el("span", state === "up" ? {} : { class: "down" }, state === "up" ? name : `${name} ${state}`);
  $("#stores").replaceChildren(
    up("Redis", now.redis.state),
    up("ledger", now.ledger.state),
    ...gatewaysOf(now).map((g) => up(`broker ${g.region}`, g.broker)),
  );
  const kpis = [
    ["accepted / s", count(f.acceptedPerS)],
    ["decided / s", count(f.decidedPerS)],
    [
      "refused / s",
      count(f.refusedPerS),
      f.refusedByReason.map(([reason, n]) => `${reason} ${count(n)}`).join(", "),
    ],
    ["outcome p50", time(f.outcomeP50Ms)],
    ["outcome p99", time(f.outcomeP99Ms)],
    ["confirm p99", time(f.confirmP99Ms)],
    ["worst lag", time(f.worstLagMs)],
    ["pending", count(f.pending)],
    ["units left", count(f.available), `of ${count(f.total)}`],
    ["paid / s", count(f.paidPerS)],
    ["retries / s", count(f.retriesPerS)],
    ["dead letters", count(f.dead)],
  ];
  $("#kpis").replaceChildren(
    ...kpis.map(([name, value, title]) =>
      el("div", { title }, el("b", {}, value), el("span", {}, name)),
    ),
  );
  if (before) charts(now, f);
  showStock(now);
  showWorkers(now);
  showGateways(now);
  const lagClass = (ms) => (ms > 5_000 ? "bad" : ms > 1_000 ? "warn" : "");
  table(
    "shards",
    [["shard"], ["region"], ["lag", "n"], ["ready", "n"], ["in flight", "n"], ["owner"]],
    f.shards.map((s) => [
      s.shard,
      s.region,
      el("span", { class: lagClass(s.lagMs) }, time(s.lagMs)),
      s.ready ?? "?",
      s.load,
      s.owner,
    ]),
    "No shards owned",
  );
  showRoles(now);
}

function showStock({ sales }) {
  const bar = (item) =>
    el(
      "div",
      { class: "bar" },
      ...["available", "releasing", "held", "sold"].map((s) =>
        el("i", {
          class: s,
          width: `${(100 * item[s]) / Math.max(1, item.total)}%`,
          title: `${item[s]} ${s}`,
        }),
      ),
    );
  const rows = sales.flatMap((sale) =>
    sale.items.map((item) => [
      sales.length > 1 ? `${sale.id} · ${item.sku}` : item.sku,
      el("span", item.available === 0 ? { class: "bad" } : {}, count(item.available)),
      count(item.held),
      count(item.sold),
      bar(item),
    ]),
  );
  table("stock", [["item"], ["left", "n"], ["held", "n"], ["sold", "n"], [""]], rows, "No sales");
}

function showWorkers(now) {
  const rows = workersOf(now).map((w) => {
    return [
      w.id,
      governorState(w, w.state === "running" ? "" : w.state),
      w.shards.map((s) => s.shard).join(" "),
      w.shards.reduce((sum, s) => sum + s.load, 0),
      w.unrecorded,
      time(w.loopDelayMs),
      mb(w.rssBytes),
      handButton(w),
    ];
  });
  table(
    "workers",
    [
      ["worker"],
      ["state", "text"],
      ["shards"],
      ["in flight", "n"],
      ["unrecorded", "n"],
      ["loop delay", "n"],
      ["memory", "n"],
      [""],
    ],
    rows,
    "No workers running",
  );
}

/** The governor's state with its reasons; `other` replaces it where that matters more. */
function governorState({ governor: g }, other) {
  const signals = Object.entries(g.signals)
    .map(([name, v]) => `${name} ${v}`)
    .join(", ");
  const good = g.state === "running" && other === "";
  return el(
    "span",
    { class: good ? "good" : "warn", title: signals },
    other || [g.state, ...g.reasons].join(" "),
  );
}

function handButton({ id, governor }) {
  const what = governor.reasons.includes("operator") ? "resume" : "pause";
  return el(
    "button",
    { type: "button", "data-key": id, onclick: () => byHand(id, what) },
    what === "resume" ? "Resume" : "Pause",
  );
}

function showGateways(now) {
  const rows = gatewaysOf(now).map((g) => {
    const admission = el(
      "span",
      { class: g.admission === "open" ? "good" : g.admission === "closed" ? "bad" : "warn" },
      [g.admission, ...g.reasons].join(" "),
    );
    const pending = g.shards.reduce((sum, s) => sum + s.pending, 0);
    return [
      g.region,
      g.id,
      publishesTo(g),
      admission,
      time(Math.max(0, ...g.shards.map((s) => s.waitMs))),
      count(pending),
      count(g.sockets),
      time(g.loopDelayMs),
      mb(g.rssBytes),
    ];
  });
  table(
    "gateways",
    [
      ["region"],
      ["gateway"],
      ["publishes to", "text"],
      ["admission", "text"],
      ["wait", "n"],
      ["pending", "n"],
      ["sockets", "n"],
      ["loop delay", "n"],
      ["memory", "n"],
    ],
    rows,
    "No gateways reporting",
  );
}

/** The region that gets a gateway's orders; the title has the state of each region. */
function publishesTo({ region, publishing: p }) {
  if (!p) return region; // of an earlier release: it publishes to its own region only
  const words = (r) =>
    `${r.region}: broker ${r.broker}, breaker ${r.breaker}` +
    (r.why === "" ? "" : ` since ${new Date(r.sinceMs).toLocaleTimeString()} (${r.why})`) +
    (r.queues?.length ? `, not the queues of shards ${r.queues.join(", ")}` : "");
  const own = p.regions.find((r) => r.region === region);
  const atHome = p.publishesTo === region && !own?.queues?.length;
  return el(
    "span",
    { class: atHome ? "good" : "warn", title: p.regions.map(words).join("; ") },
    p.publishesTo,
  );
}

function showRoles(now) {
  const words = (counts) =>
    Object.entries(counts)
      .map(([k, n]) => `${k} ${count(n)}`)
      .join(", ");
  const rows = [
    ...paymentsOf(now).map((p) => [
      p.id,
      p.breaker === "closed"
        ? governorState(p, "")
        : el("span", { class: "bad" }, `breaker ${p.breaker}`),
      `charges: ${words(p.answers)}; in flight ${p.load}`,
      handButton(p),
    ]),
    ...now.roles
      .filter((r) => r.kind === "fulfil")
      .map((r) => [r.id, governorState(r, ""), `parts: ${words(r.parts)}`, handButton(r)]),
    ...now.roles
      .filter((r) => r.kind === "rates")
      .map((r) => [r.id, "rates", `${r.pairs} pairs from ${r.source}`, ""]),
    ...now.roles
      .filter((r) => r.kind === "sender")
      .map((r) => [r.id, "webhooks", `endpoints ${r.endpoints}; events held ${r.held}`, ""]),
  ];
  table("roles", [["role"], ["state", "text"], ["", "text"], [""]], rows, "No reports");
}

async function byHand(worker, what) {
  const { ok, problem } = await call(
    "POST",
    `/v1/admin/workers/${encodeURIComponent(worker)}/${what}`,
    {},
  );
  say(ok ? `${worker === "*" ? "all workers" : worker}: ${what}d` : problem);
}

$("#sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("#token").value);
});
$("#leave").addEventListener("click", () => signIn());
confirmed($("#pause-all"), "Pause all workers?", () => byHand("*", "pause"));
$("#resume-all").addEventListener("click", () => byHand("*", "resume"));

// A link may contain the token; it must not stay in the address bar.
const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (location.hash) history.replaceState(null, "", location.pathname);
if (given || sessionStorage.getItem(KEY)) enter(given ?? sessionStorage.getItem(KEY));
else signIn();
setInterval(look, EVERY_MS);
setInterval(age, 500);
