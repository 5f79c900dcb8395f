// The console: signs somebody in, and shows the page of the address.
import "./ui/theme.js";
import { live, startLive } from "./live.js";
import { finish } from "./oidc.js";
import { OverviewPage } from "./overview/page.js";
import { AuditPage } from "./pages/audit.js";
import { DeadPage } from "./pages/dead.js";
import { OrdersPage } from "./pages/orders.js";
import { RoutesPage } from "./pages/routes.js";
import { SalesPage } from "./pages/sales.js";
import { TimelinePage } from "./pages/timeline.js";
import { WorkersPage } from "./pages/workers.js";
import { go, place } from "./router.js";
import { session, signIn, signOut } from "./session.js";
import { Shell } from "./shell.js";
import { SignIn } from "./sign-in.js";
import { askNothing, Dialog } from "./ui/dialog.js";
import { html, render, useEffect } from "./ui/html.js";
import { Said } from "./ui/said.js";
import { useStore } from "./ui/store.js";

/** In the order of the navigation. */
const PAGES = [
  { path: "/console", title: "Overview", view: OverviewPage },
  { path: "/console/orders", title: "Orders", view: OrdersPage },
  { path: "/console/sales", title: "Sales", view: SalesPage },
  { path: "/console/dead", title: "Dead letters", view: DeadPage },
  { path: "/console/workers", title: "Workers and regions", view: WorkersPage },
  { path: "/console/rates-and-routes", title: "Rates and routes", view: RoutesPage },
  { path: "/console/timeline", title: "Timeline", view: TimelinePage },
  { path: "/console/audit", title: "Audit", view: AuditPage },
];

const NOWHERE = {
  ...{ path: "", title: "Page not found" },
  view: () => html`<p>The console has no page at this address.
    ${" "}<a href="/console">Go to the overview</a></p>`,
};

function App() {
  const { me, why, busy, waits } = useStore(session);
  const { path, query } = useStore(place);
  const { known, sinceMs, late } = useStore(live);
  const page = PAGES.find((p) => p.path === path) ?? NOWHERE;
  useEffect(() => {
    document.title = page.path === "/console" ? "Sluice console" : `${page.title} · Sluice`;
  }, [page]);
  if (!me) return html`<${SignIn} why=${why} busy=${busy} waits=${waits} />`;
  const { view: View } = page;
  return html`<${Shell} pages=${PAGES} page=${page} me=${me} known=${known}
      sinceMs=${sinceMs} late=${late}>
      <${View} key=${page.path} query=${query} known=${known} me=${me} />
    </${Shell}>
    <${Dialog} /><${Said} />`;
}

/** Back from the issuer, or with the token of a link or of this tab. */
async function enter() {
  try {
    const token = await finish();
    signIn(token ?? given);
  } catch (error) {
    signOut(error.message);
  }
}

/** A link may contain the token; it must not stay in the address bar. */
function tokenOfLink() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) go(location.pathname + location.search, { replace: true });
  return token;
}

const given = tokenOfLink();
// Following such a link on this very page does not load it again.
addEventListener("hashchange", () => {
  const token = tokenOfLink();
  if (token) signIn(token);
});
session.follow(({ me }) => !me && askNothing());
render(html`<${App} />`, document.querySelector("#app"));
enter();
startLive();
