// GET /: where to go from a gateway's own address. Browsers get a page, everyone else JSON. It
// names only what anyone may open, and nothing of the installation: no version, region or id.
import { accepts } from "hono/accepts";
import { plainHeaders } from "../docs/docs-page.ts";
import { STYLE } from "../docs/style.ts";
import type { App } from "./calls.ts";

interface Place {
  readonly path: string;
  readonly title: string;
  readonly says: string;
}

const SHOP: Place = { path: "/shop", title: "Shop", says: "place an order, follow and cancel it" };
const PLACES: Readonly<Record<string, Place>> = {
  console: { path: "/console", title: "Console", says: "for operators, with a token" },
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
  const document = page(Object.values(places));
  const asPage = { ...plainHeaders(), vary: "Accept" };
  const asJson = { "content-type": "application/json", vary: "Accept" };
  app.get("/", (c) => {
    const type = accepts(c, {
      header: "Accept",
      supports: ["application/json", "text/html"],
      default: "application/json",
    });
    return type === "text/html" ? c.body(document, 200, asPage) : c.body(index, 200, asJson);
  });
}

function page(places: readonly Place[]): string {
  const rows = places.map(
    ({ path, title, says }) => `<tr><td><a href="${path}">${title}</a></td><td>${says}</td></tr>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sluice</title><style>${STYLE}</style></head><body><main>
<h1>Sluice</h1>
<p>This is a gateway: it accepts the orders of a flash sale.</p>
<table>${rows.join("\n")}</table></main></body></html>`;
}
