// Asks for the overview once a second while somebody is signed in, and keeps what is known.
import { figures, Looks } from "./figures.js";
import { History } from "./history.js";
import { learn, lose, nothing } from "./known.js";
import { call, session } from "./session.js";
import { store } from "./ui/store.js";

const EVERY_MS = 1_000;
/** After this long without an answer the page is no longer "live". */
const LATE_MS = 3_000;

const looks = new Looks();
export const past = new History();
const NOTHING = { known: nothing("no answer yet"), sinceMs: Number.NaN, late: false };
/** `known`: see known.ts; `sinceMs`: when an answer came last, on the page's clock. */
export const live = store(NOTHING);
let asking = false;
/** When the answer that is waited for was first asked for; NaN: none is. */
let waitingMs = Number.NaN;

async function look() {
  if (asking || !session.get().me) return;
  asking = true;
  const { me } = session.get();
  if (Number.isNaN(waitingMs)) waitingMs = performance.now();
  const { ok, value } = await call("GET", "/v1/admin/overview");
  asking = false;
  if (ok && me === session.get().me) take(value);
}

function take(overview) {
  const atMs = performance.now();
  waitingMs = Number.NaN;
  const earlier = looks.before(overview);
  const known = learn(live.get().known, overview, () => figures(earlier, overview), atMs);
  past.add(overview.atMs, known);
  live.set({ known, sinceMs: atMs, late: false });
}

/**
 * Everything ages while no answer comes. A page that is not in sight asks seldom, since browsers
 * slow its timers down: only an answer that was asked for can be late.
 */
function age() {
  if (!session.get().me) return;
  const { known, sinceMs } = live.get();
  if (!(performance.now() - waitingMs >= LATE_MS)) return;
  const late = !Number.isNaN(sinceMs);
  live.set({ known: lose(known, "the gateway does not answer"), sinceMs, late });
}

/** The next to sign in starts with nothing, instead of old figures. */
function forget() {
  waitingMs = Number.NaN;
  looks.clear();
  past.clear();
  live.set(NOTHING);
}

export function startLive() {
  session.follow(({ me }) => (me ? look() : forget()));
  look();
  setInterval(look, EVERY_MS);
  setInterval(age, EVERY_MS);
  document.addEventListener("visibilitychange", () => !document.hidden && look());
}
