// /openapi.json and /asyncapi.json; /docs is the former for people: every call by subject, with its
// answers, and a form that sends it. Nothing is loaded from elsewhere, and nothing inline runs;
// without its script the page is complete but for the forms.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ASYNCAPI } from "../socket/asyncapi.ts";
import type { App } from "./calls.ts";
import { callsByTag, documentOf } from "./docs-calls.ts";
import { OPENAPI } from "./openapi.ts";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};
const read = (name: string): string => readFileSync(join(import.meta.dir, "docs", name), "utf8");

export function addDocs(app: App): void {
  const files = {
    "/openapi.json": ["application/json", JSON.stringify(OPENAPI)],
    "/asyncapi.json": ["application/json", JSON.stringify(ASYNCAPI)],
    "/docs": ["text/html; charset=utf-8", documentOf(callsByTag(OPENAPI))],
    "/docs/style.css": ["text/css; charset=utf-8", read("style.css")],
    "/docs/try.js": ["text/javascript; charset=utf-8", read("try.js")],
  } as const;
  for (const [path, [type, text]] of Object.entries(files)) {
    const headers = { ...(path.startsWith("/docs") ? HEADERS : {}), "content-type": type };
    app.get(path, (c) => c.body(text, 200, headers));
  }
}
