// /console: the operators' application. Its scripts and sheets are served as they are in
// gateway/console/, its libraries from their packages, and code in TypeScript without its types:
// running it needs no build. Nothing is loaded from elsewhere, and nothing inline runs.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Context } from "hono";
import { CURRENCIES, minorDigits } from "../../core/domain/currency.ts";
import type { App } from "../http/calls.ts";
import type { ConsoleOidc } from "../ports.ts";
import { guidePage } from "./guide.ts";

const HERE = import.meta.dir;
const read = (path: string): string => readFileSync(path, "utf8");
const packaged = (name: string): string => read(Bun.resolveSync(name, HERE));

const PAGE = "text/html; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
const SHEET = "text/css; charset=utf-8";

/** Nothing but this gateway is reached, and the issuer where operators sign in. */
const headersFor = (oidc: ConsoleOidc | undefined) => ({
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; " +
    `connect-src 'self'${oidc ? ` ${new URL(oidc.issuer).origin}` : ""}; ` +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
});

/** The pages with an address of their own; each is the same document. */
const PAGES = [
  ...["orders", "sales", "dead", "workers", "rates-and-routes", "audit", "timeline"],
] as const;
const FOLDERS = ["", "ui/", "overview/", "pages/", "style/"] as const;

type Served = readonly [type: string, text: string];

/** Path → [content type, text]. */
function files(): Record<string, Served> {
  const page: Served = [PAGE, read(join(HERE, "page.html"))];
  return {
    "/console": page,
    ...Object.fromEntries(PAGES.map((name) => [`/console/${name}`, page])),
    ...ownFiles(),
    ...libraries(),
    "/console/figures.js": typed("../../core/domain/figures.ts"),
    "/console/reason-words.js": typed("../../core/domain/reason-words.ts"),
    "/console/known.js": typed("known.ts"),
    "/console/overview/sale-choice.js": typed("overview/sale-choice.ts"),
    "/console/digits.js": digits(),
  };
}

function ownFiles(): Record<string, Served> {
  const named = FOLDERS.flatMap((folder) =>
    readdirSync(join(HERE, folder))
      .filter((name) => /\.(js|css)$/.test(name))
      .map((name) => `${folder}${name}`),
  );
  return Object.fromEntries(
    named.map((name) => [
      `/console/${name}`,
      [name.endsWith(".css") ? SHEET : SCRIPT, read(join(HERE, name))],
    ]),
  );
}

/** Browsers need an address where the packages name each other. */
function libraries(): Record<string, Served> {
  const hooks = packaged("preact/hooks").replaceAll('"preact"', '"./preact.js"');
  return {
    "/console/lib/preact.js": [SCRIPT, packaged("preact")],
    "/console/lib/hooks.js": [SCRIPT, hooks],
    "/console/lib/htm.js": [SCRIPT, packaged("htm/dist/htm.module.js")],
    "/console/lib/uplot.js": [SCRIPT, packaged("uplot/dist/uPlot.iife.min.js")],
    "/console/lib/uplot.css": [SHEET, packaged("uplot/dist/uPlot.min.css")],
  };
}

/** Browsers differ in what they take for the digits of a currency. */
function digits(): Served {
  const known = [...CURRENCIES].map((currency) => [currency, minorDigits(currency)]);
  return [SCRIPT, `export const DIGITS = ${JSON.stringify(Object.fromEntries(known))};\n`];
}

function typed(name: string): Served {
  return [SCRIPT, new Bun.Transpiler({ loader: "ts" }).transformSync(read(join(HERE, name)))];
}

export function addConsole(app: App, oidc: ConsoleOidc | undefined): void {
  const headers = headersFor(oidc);
  for (const [path, [type, text]] of Object.entries(files()))
    app.get(path, (c) => c.body(text, 200, { ...headers, "content-type": type }));
  app.get("/console/sign-in.json", (c) => c.json(oidc ? { oidc } : {}, 200, headers));
  // What people type: the console has one order, or one sale, in the query.
  app.get("/console/orders/:id", (c) => c.redirect(`/console/orders?${one(c, "id")}`));
  app.get("/console/sales/:sale", (c) => c.redirect(`/console/sales?${one(c, "sale")}`));
  const guide = guidePage();
  app.get("/console/operations", (c) => c.body(guide, 200, { ...headers, "content-type": PAGE }));
  // An address that the console has not: its own page says so, and leads on.
  const document = read(join(HERE, "page.html"));
  app.get("/console/:page", (c) => c.body(document, 404, { ...headers, "content-type": PAGE }));
}

const one = (c: Context, name: string) =>
  new URLSearchParams({ [name]: c.req.param(name) ?? "" }).toString();
