// The verdict, in plain words: what is wrong, whom it affects, since when, and what to do next.
import { address } from "../router.js";
import { count, dateTime, duration, fullTime, plural, timeOfDay } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Sign } from "../ui/parts.js";

/** The one finding itself, or how many there are. */
function headline({ level, findings }) {
  if (level === "ok" || level === "notice") return "All is well";
  const serious = groupsOf(findings).filter((group) => group.level === level);
  if (serious.length === 1) return sentence(serious[0].what);
  return plural(serious.length, level === "trouble" ? "problem" : "warning");
}

/** What several findings of a kind are called together. */
const TOGETHER = {
  worker_paused: "roles are paused",
  slowed: "roles are slowed",
  role_lost: "roles have stopped reporting",
  no_route: "categories on sale have no route",
  no_consumer: "services have no running process",
  dead_letters: "queues hold dead letters",
  given_up_parts: "regions hold paid parts that a service gave up",
  unrouted_parts: "regions hold paid parts without a route",
  shedding: "gateways hold orders back",
  gateway_closed: "gateways are closed",
  publishes_elsewhere: "gateways publish to another region",
  rates_held: "exchange rates jumped",
  webhooks_paused: "webhook receivers are paused",
};

/** Findings of one kind are one matter: {level, what, all}. In the order of the verdict. */
function groupsOf(findings) {
  const groups = new Map();
  for (const finding of findings) {
    const { code, level, subject } = finding;
    const key = TOGETHER[code] ? `${level} ${code}` : `${level} ${code} ${subject}`;
    groups.set(key, [...(groups.get(key) ?? []), finding]);
  }
  return [...groups].map(([key, all]) => {
    const [{ level, code, what }] = all;
    return {
      key,
      level,
      all,
      what: all.length > 1 ? `${count(all.length)} ${TOGETHER[code]}` : what,
    };
  });
}

/** With a capital letter, unless it begins with a name. */
const sentence = (text) =>
  /^[a-z]+[ :;,']/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;

const LEVELS = { trouble: "Trouble", warning: "Warning", notice: "Notice" };

/** The page of the console where something can be done about it. */
const PAGES = {
  ...{ dead_letters: "dead", given_up_parts: "dead", money_owed: "dead", no_sale: "sales" },
  ...{
    all_paused: "workers",
    worker_paused: "workers",
    slowed: "workers",
    shards_without_owner: "workers",
  },
  ...{ role_lost: "workers", publishes_elsewhere: "workers", shedding: "workers" },
  ...{ no_gateway_open: "workers", gateway_closed: "workers", region_without_gateway: "workers" },
  ...{ unrouted_parts: "rates-and-routes", no_route: "rates-and-routes" },
  ...{ no_consumer: "rates-and-routes", rates_stale: "rates-and-routes" },
  rates_held: "rates-and-routes",
};

export function Verdict({ known }) {
  const { value, why, atMs } = known;
  if (why !== "") return html`<${Unknown} value=${value} why=${why} atMs=${atMs} />`;
  const { level, findings } = value;
  const groups = groupsOf(findings);
  return html`<section id="verdict" class="verdict ${level}" aria-labelledby="verdict-title">
    <h2 id="verdict-title"><${Sign} level=${level === "notice" ? "ok" : level} />
      <span role="status">${headline(value)}</span></h2>
    ${
      groups.length > 0 &&
      html`<ol class="findings">
      ${groups.map(
        (group, i) => html`<${Group} ...${group} key=${group.key}
        open=${i === 0 && group.level !== "notice"}
        titled=${sentence(group.what) !== headline(value)} />`,
      )}
    </ol>`
    }
  </section>`;
}

/** The first is open; each other is one line, until somebody opens it. */
function Group({ level, what, all, titled, open }) {
  const about =
    all.length === 1 ? html`<${About} ...${all[0]} />` : html`<${Several} all=${all} />`;
  if (!titled) return html`<li class=${level}>${about}</li>`;
  return html`<li class=${level}><details open=${open}>
    <summary><h3><${Sign} level=${level} /><span class="hidden">${LEVELS[level]}: </span><span
      >${sentence(what)}</span></h3></summary>
    ${about}
  </details></li>`;
}

/** Which they are, and once what is to be said of all. */
function Several({ all }) {
  const sinceMs = Math.min(...all.map((f) => f.sinceMs ?? Number.POSITIVE_INFINITY));
  const first = { ...all[0], sinceMs: Number.isFinite(sinceMs) ? sinceMs : null };
  return html`<ul class="each">${all.map(({ what }) => html`<li>${sentence(what)}</li>`)}</ul>
    <${About} ...${first} />`;
}

function About({ code, what, affects, next, sinceMs, anchor }) {
  const page = PAGES[code];
  return html`<dl>
      <div><dt>Affects</dt><dd>${sentence(affects)}</dd></div>
      <div><dt>Since</dt><dd>${sinceMs === null ? "unknown" : html`<${Since} ms=${sinceMs} />`}</dd>
      </div>
      <div><dt>Next</dt><dd><${Words} text=${next} />. ${" "}
        <span class="links">
          ${page && html`<a href=${address(page)}>Open the page</a>`}
          <a href="/console/operations#${anchor}" aria-label="Read what to do: ${what}">Read what
            to do</a>
        </span></dd></div>
    </dl>`;
}

function Since({ ms }) {
  const at = new Date(ms);
  const today = at.toDateString() === new Date().toDateString();
  return html`<time datetime=${at.toISOString()} title=${fullTime(at)}>${
    today ? timeOfDay(at) : dateTime(at)
  }</time>, ${duration(Math.max(0, Date.now() - ms))} ago`;
}

/** Commands stand out, and are not broken. */
const Words = ({ text }) =>
  sentence(text)
    .split(/'(sluice [^']+)'/)
    .map((part, i) => (i % 2 === 1 ? html`<code class="command">${part}</code>` : part));

function Unknown({ value, why, atMs }) {
  const loading = why === "no answer yet";
  const before = value && `It was "${headline(value)}"`;
  return html`<section id="verdict" class="verdict unknown" aria-labelledby="verdict-title">
    <h2 id="verdict-title"><${Sign} level="unknown" />
      <span role="status">${loading ? "Loading…" : "The state is unknown"}</span></h2>
    ${
      !loading &&
      html`<p>${why[0].toUpperCase()}${why.slice(1)}.
      ${before && ` ${before} ${duration(performance.now() - atMs)} ago.`}</p>`
    }
  </section>`;
}
