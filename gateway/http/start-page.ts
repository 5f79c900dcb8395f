// GET /: where to go from a gateway's own address; and the same for an address that is none.
// Browsers get a page, everyone else JSON. It names only what anyone may open, and nothing of the
// installation: no version, region or id.
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { plainHeaders } from "../docs/docs-page.ts";
import { STYLE } from "../docs/style.ts";
import type { App } from "./calls.ts";
import { problem } from "./problem.ts";

interface Place {
  readonly path: string;
  readonly title: string;
  readonly says: string;
}

const SHOP: Place = { path: "/shop", title: "Shop", says: "place an order, follow and cancel it" };
const PLACES: Readonly<Record<string, Place>> = {
  console: { path: "/console", title: "Console", says: "for operators, who sign in" },
  docs: { path: "/docs", title: "HTTP API", says: "every call, with its answers" },
  openapi: { path: "/openapi.json", title: "OpenAPI", says: "the same for programs" },
  asyncapi: { path: "/asyncapi.json", title: "AsyncAPI", says: "the WebSocket, and services" },
  sales: { path: "/v1/sales", title: "Sales", says: "what is for sale now, as JSON" },
  ready: { path: "/readyz", title: "Health", says: "whether orders can be accepted" },
};

export function addStart(app: App, shop: boolean): void {
  const places = { ...(shop ? { shop: SHOP } : {}), ...PLACES };
  const links = Object.entries(places).map(([name, { path }]) => [name, path]);
  const index = JSON.stringify({ links: Object.fromEntries(links) });
  const document = page(Object.values(places), START);
  const asPage = { ...plainHeaders(), vary: "Accept" };
  const asJson = { "content-type": "application/json", vary: "Accept" };
  app.get("/", (c) => (wantsPage(c) ? c.body(document, 200, asPage) : c.body(index, 200, asJson)));
}

/** For addresses that are none. Calls and their clients always get the problem. */
export function notFoundAnswer(shop: boolean): (c: Context) => Response {
  const document = page(Object.values({ ...(shop ? { shop: SHOP } : {}), ...PLACES }), NOWHERE);
  const headers = { ...plainHeaders(), vary: "Accept", "cache-control": "no-store" };
  return (c) =>
    c.req.method === "GET" && !c.req.path.startsWith("/v1/") && wantsPage(c)
      ? c.body(document, 404, headers)
      : problem("not_found").response();
}

function wantsPage(c: Context): boolean {
  const supports = ["application/json", "text/html"];
  return accepts(c, { header: "Accept", supports, default: "application/json" }) === "text/html";
}

interface Head {
  readonly title: string;
  readonly heading: string;
  readonly says: string;
}
const START: Head = {
  title: "Sluice",
  heading: "Sluice",
  says: "This is a gateway: it accepts the orders of a flash sale.",
};
const NOWHERE: Head = {
  title: "Not found · Sluice",
  heading: "Not found",
  says: "This gateway has no page at this address. It has these:",
};

function page(places: readonly Place[], { title, heading, says }: Head): string {
  const rows = places.map(
    ({ path, title, says }) => `<tr><td><a href="${path}">${title}</a></td><td>${says}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title><style>${STYLE}</style></head><body><main>
<h1>${heading}</h1>
<p>${says}</p>
<table>${rows.join("\n")}</table></main></body></html>`;
}
