// The verdict, in plain words: what is wrong, whom it affects, since when, and what to do next.
import { address } from "../router.js";
import { dateTime, duration, plural } from "../ui/format.js";
import { html } from "../ui/html.js";
import { Sign } from "../ui/parts.js";

/** The one finding itself, or how many there are. */
function headline({ level, findings }) {
  if (level === "ok" || level === "notice") return "All is well";
  const serious = findings.filter((f) => f.level === level);
  if (serious.length === 1) return serious[0].what;
  return level === "trouble"
    ? `${plural(serious.length, "thing")} stand still`
    : `${plural(serious.length, "thing")} to look at`;
}

const LEVELS = { trouble: "Trouble", warning: "Warning", notice: "Notice" };

/** The page of the console where something can be done about it. */
const PAGES = {
  ...{ dead_letters: "dead", money_owed: "dead", no_sale: "sales" },
  ...{ worker_paused: "workers", slowed: "workers", shards_without_owner: "workers" },
  ...{ role_lost: "workers", publishes_elsewhere: "workers", shedding: "workers" },
  ...{ unrouted_parts: "rates-and-routes", no_route: "rates-and-routes" },
  ...{ no_consumer: "rates-and-routes", rates_stale: "rates-and-routes" },
  rates_held: "rates-and-routes",
};

export function Verdict({ known }) {
  const { value, why, atMs } = known;
  if (why !== "") return html`<${Unknown} value=${value} why=${why} atMs=${atMs} />`;
  const { level, findings } = value;
  return html`<section id="verdict" class="verdict ${level}" aria-labelledby="verdict-title">
    <h2 id="verdict-title"><${Sign} level=${level === "notice" ? "ok" : level} />
      <span role="status">${headline(value)}</span></h2>
    ${
      findings.length > 0 &&
      html`<ol class="findings">
      ${findings.map(
        (f) => html`<${Finding} ...${f} key=${`${f.code} ${f.subject}`}
        titled=${f.what !== headline(value)} />`,
      )}
    </ol>`
    }
  </section>`;
}

function Finding({ code, level, what, affects, next, sinceMs, anchor, titled }) {
  const page = PAGES[code];
  return html`<li class=${level}>
    ${
      titled &&
      html`<h3><${Sign} level=${level} /><span class="hidden">${LEVELS[level]}: </span>${what}</h3>`
    }
    <dl>
      <div><dt>Affects</dt><dd>${affects}</dd></div>
      <div><dt>Since</dt><dd>${sinceMs === null ? "unknown" : html`<${Since} ms=${sinceMs} />`}</dd>
      </div>
      <div><dt>Next</dt><dd>${next} ${" "}
        <span class="links">
          ${page && html`<a href=${address(page)}>Open the page</a>`}
          <a href="/console/operations#${anchor}" aria-label="Read what to do: ${what}">Read what
            to do</a>
        </span></dd></div>
    </dl>
  </li>`;
}

const Since = ({ ms }) =>
  html`<time datetime=${new Date(ms).toISOString()} title=${dateTime(ms)}>${duration(
    Math.max(0, Date.now() - ms),
  )}</time>, from ${dateTime(ms)}`;

function Unknown({ value, why, atMs }) {
  const before = value && `It was "${headline(value)}"`;
  return html`<section id="verdict" class="verdict unknown" aria-labelledby="verdict-title">
    <h2 id="verdict-title"><${Sign} level="unknown" />
      <span role="status">The state is unknown</span></h2>
    <p>${why[0].toUpperCase()}${why.slice(1)}.
      ${before && ` ${before} ${duration(performance.now() - atMs)} ago.`}</p>
  </section>`;
}
