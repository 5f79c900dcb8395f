// /console: one live page for operators. Its files are served as they are in gateway/console/, the
// chart library from its package, and the code shared with `sluice top` (core/domain/figures.ts)
// without its types. Nothing is loaded from elsewhere, and nothing inline runs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../http/calls.ts";

const HERE = import.meta.dir;
const read = (path: string): string => readFileSync(path, "utf8");
const module = (name: string): string => Bun.resolveSync(name, import.meta.dir);

const SCRIPT = "text/javascript; charset=utf-8";
const SHEET = "text/css; charset=utf-8";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** Path → [content type, text]. */
function files(): Record<string, readonly [type: string, text: string]> {
  const figures = read(join(import.meta.dir, "..", "..", "core", "domain", "figures.ts"));
  const own = ["app.js", "charts.js", "dead.js", "dom.js"].map(
    (name) => [`/console/${name}`, [SCRIPT, read(join(HERE, name))]] as const,
  );
  return {
    "/console": ["text/html; charset=utf-8", read(join(HERE, "page.html"))],
    "/console/style.css": [SHEET, read(join(HERE, "style.css"))],
    ...Object.fromEntries(own),
    "/console/figures.js": [SCRIPT, new Bun.Transpiler({ loader: "ts" }).transformSync(figures)],
    "/console/uplot.js": [SCRIPT, read(module("uplot/dist/uPlot.iife.min.js"))],
    "/console/uplot.css": [SHEET, read(module("uplot/dist/uPlot.min.css"))],
  };
}

export function addConsole(app: App): void {
  for (const [path, [type, text]] of Object.entries(files()))
    app.get(path, (c) => c.body(text, 200, { ...HEADERS, "content-type": type }));
}
