// What surrounds every page: navigation, the state of the stores, theme, and who is signed in.
import { Mark } from "./mark.js";
import { signOut } from "./session.js";
import { count, duration, zone } from "./ui/format.js";
import { html, useEffect, useRef, useState } from "./ui/html.js";
import { State } from "./ui/parts.js";
import { nextTheme, themeNow } from "./ui/theme.js";

export function Shell({ pages, page, me, known, sinceMs, late, children }) {
  const [open, setOpen] = useState(false);
  const heading = useRef();
  const first = useRef(true);
  useEffect(() => {
    // A reader of the page learns that it has changed; not when it has just been opened.
    if (!first.current) heading.current.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
    setOpen(false);
  }, [page]);
  return html`<a class="skip" href="#main">Skip to the content</a>
    <div class="shell">
      <header class="side">
        <div class="brand"><${Mark} /><span>Sluice</span>
          <button class="menu" aria-expanded=${open} aria-controls="menu"
            onClick=${() => setOpen(!open)}>Menu</button>
        </div>
        <div id="menu" class=${open ? "open" : ""}>
          <nav aria-label="Pages">
            <ul>${pages.map(
              (p) => html`<li><${Link} ...${p} here=${p === page} known=${known} /></li>`,
            )}
            </ul>
          </nav>
          <${Stores} known=${known} />
          <div class="who">
            <p><b>${me.subject}</b><br />${me.operate ? "operator" : "viewer: reads only"}</p>
            <${Theme} />
            <button id="leave" onClick=${() => signOut()}>Sign out</button>
          </div>
        </div>
      </header>
      <main id="main" tabindex="-1">
        <div class="page-head">
          <h1 ref=${heading} tabindex="-1">${page.title}</h1>
          <${Age} sinceMs=${sinceMs} late=${late} />
        </div>
        ${children}
      </main>
    </div>`;
}

function Link({ path, title, here, known }) {
  const n = path === "/console/dead" ? lettersOf(known.dead.value) : 0;
  return html`<a href=${path} aria-current=${here ? "page" : undefined}>${title}
    ${
      n > 0 && html`<span class="badge">${count(n)}<span class="hidden"> letters</span></span>`
    }</a>`;
}

/** Parts that wait for a route are no failures; the page of the routes has them. */
const lettersOf = (dead) =>
  (dead ?? [])
    .map(({ queue, messages, givenUp = 0 }) =>
      queue === "fulfilment.unrouted" ? givenUp : messages,
    )
    .reduce((sum, n) => sum + n, 0);

const LEVELS = { up: "ok", blocked: "trouble", away: "trouble" };

function Stores({ known }) {
  const { value } = known.stores;
  const stores = value
    ? [
        ["Redis", value.redis.refuses ?? value.redis.state],
        ["Ledger", value.ledger.state],
      ]
    : [];
  const brokers = [...brokersOf(known.gateways.value ?? [])];
  const rows = [
    ...stores.map(([name, state]) => ({ name, state, why: known.stores.why })),
    ...brokers.map(([region, state]) => ({
      ...{ name: `Broker ${region}`, state, why: known.gateways.why },
    })),
  ];
  return html`<ul id="stores" aria-label="Stores">
    ${rows.map(
      ({ name, state, why }) => html`<li key=${name} class=${why ? "stale" : ""} title=${why}>
        <span>${name}</span>
        <${State} level=${why ? "unknown" : (LEVELS[state] ?? "unknown")}>
          ${why ? `was ${state}` : state}</${State}></li>`,
    )}
  </ul>`;
}

const WORST = ["up", "blocked", "away"];

/** Region → the worst that a gateway there sees of its broker. */
function brokersOf(gateways) {
  const states = new Map();
  for (const { region, broker } of gateways) {
    const was = states.get(region);
    if (WORST.indexOf(broker) >= WORST.indexOf(was)) states.set(region, broker);
  }
  return states;
}

function Theme() {
  const [theme, set] = useState(themeNow());
  return html`<button onClick=${() => set(nextTheme())}>Theme: ${theme}</button>`;
}

/** How old the figures are, even while none arrive. */
function Age({ sinceMs, late }) {
  const age = performance.now() - sinceMs;
  if (Number.isNaN(age)) return html`<p id="age" class="dim">No figures yet</p>`;
  if (!late)
    return html`<p id="age"><span class="pulse" aria-hidden="true"></span>live<span
      class="zone"> · times in ${zone()}</span></p>`;
  return html`<p id="age" role="alert"><${State} level="trouble">no answer for
    ${" "}${duration(age)}, retrying</${State}></p>`;
}
