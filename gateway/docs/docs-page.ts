// /openapi.json and /asyncapi.json; /docs is the former for people: one page, with a form for each
// call. It loads nothing from elsewhere, and reaches nothing but this gateway.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../http/calls.ts";
import { OPENAPI } from "../http/openapi.ts";
import { ASYNCAPI } from "../socket/asyncapi.ts";
import { html, text, tryForm } from "./forms.ts";
import { STYLE } from "./style.ts";

type Json = Record<string, unknown>;
export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description: string;
  readonly required?: boolean;
  readonly schema?: Json;
}
export interface Call {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Json };
  readonly responses: Record<string, Described & { readonly $ref?: string }>;
}
interface Described {
  readonly description: string;
  readonly content?: Json;
}
export interface Named {
  readonly path: string;
  readonly method: string;
  readonly call: Call;
}
interface Tag {
  readonly name: string;
  readonly description: string;
}

const SCRIPT = "/docs/try.js";

export function addDocs(app: App): void {
  const spec = JSON.stringify(OPENAPI);
  const document = page();
  const headers = plainHeaders("script-src 'self'; connect-src 'self'; ");
  const sockets = JSON.stringify(ASYNCAPI);
  const script = readFileSync(join(import.meta.dir, "try.js"), "utf8");
  const asScript = {
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "no-cache",
    "x-content-type-options": "nosniff",
  };
  app.get("/asyncapi.json", (c) => c.body(sockets, 200, { "content-type": "application/json" }));
  app.get("/openapi.json", (c) => c.body(spec, 200, { "content-type": "application/json" }));
  app.get("/docs", (c) => c.body(document, 200, headers));
  app.get(SCRIPT, (c) => c.body(script, 200, asScript));
}

/** For a page whose only style is STYLE. */
export function plainHeaders(more = ""): Record<string, string> {
  const hash = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      `default-src 'none'; style-src 'sha256-${hash}'; ${more}` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
      "require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
}

function page(): string {
  const info = OPENAPI.info as { title: string; description: string };
  const calls = Object.entries(OPENAPI.paths as Record<string, Record<string, Call>>).flatMap(
    ([path, methods]) => Object.entries(methods).map(([method, call]) => ({ path, method, call })),
  );
  const groups = (OPENAPI.tags as Tag[]).map((tag) => ({
    ...{ tag, anchor: tag.name.toLowerCase().replaceAll(" ", "-") },
    calls: calls.filter(({ call }) => call.tags.includes(tag.name)),
  }));
  const schemas = Object.entries((OPENAPI.components as { schemas: Json }).schemas);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(info.title)}: HTTP API</title><style>${STYLE}</style>
<script type="module" src="${SCRIPT}"></script></head><body class="docs">
<nav aria-label="Calls">${groups.map(contents).join("\n")}
<h2><a href="#schemas">Schemas</a></h2></nav><main>
<h1>${html(info.title)}</h1>
<p>${html(info.description)} For programs: <a href="/openapi.json">openapi.json</a>;
for the WebSocket and services <a href="/asyncapi.json">asyncapi.json</a>.</p>
<div class="token alive" hidden><label for="token">Token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false">
<p class="dim">Calls from this page are real: they reach this gateway. For a trial beside
<code>./sluice up</code>, make a token by <code>./sluice token --user ann</code>, an operator's with
<code>--scope operator</code>. It stays in this field.</p>
<label for="filter">Show calls with</label><input id="filter" type="search"></div>
${groups.map(group).join("\n")}
<h2 id="schemas">Schemas</h2>${schemas.map(schemaSection).join("\n")}</main></body></html>`;
}

interface Group {
  readonly tag: Tag;
  readonly anchor: string;
  readonly calls: readonly Named[];
}

function contents({ tag, anchor, calls }: Group): string {
  const links = calls.map(
    (named) =>
      `<li ${wordsOf(named)}><a href="#${named.call.operationId}">` +
      `${html(named.call.summary)}</a></li>`,
  );
  return `<h2><a href="#${anchor}">${html(tag.name)}</a></h2><ul>${links.join("")}</ul>`;
}

function group({ tag, anchor, calls }: Group): string {
  return `<h2 id="${anchor}">${html(tag.name)}</h2><p class="dim">${text(tag.description)}</p>
${calls.map(section).join("\n")}`;
}

/** What the filter looks at. */
function wordsOf({ path, method, call }: Named): string {
  return `data-words="${html(`${method} ${path} ${call.summary}`.toLowerCase())}"`;
}

function schemaSection([name, schema]: readonly [string, unknown]): string {
  return (
    `<details id="${html(name)}"><summary><code>${html(name)}</code></summary>` +
    `${pretty(schema)}</details>`
  );
}

function section(named: Named): string {
  const { path, method, call } = named;
  const parameters = (call.parameters ?? []).map(
    (p) =>
      `<tr><td><code>${html(p.name)}</code></td><td class="dim">${html(p.in)}</td>` +
      `<td>${text(p.description)}</td></tr>`,
  );
  const responses = Object.entries(call.responses).map(([status, { $ref, ...own }]) => {
    const { description, content } = $ref === undefined ? own : sharedResponse($ref);
    return (
      `<tr><td><b><code class="s${status[0]}">${status}</code></b></td>` +
      `<td>${text(description)}${content ? schemaOf(content) : ""}</td></tr>`
    );
  });
  return `<details id="${call.operationId}" ${wordsOf(named)}><summary>
<span class="method ${method}">${method.toUpperCase()}</span>
<code>${html(path)}</code><span>${text(call.summary)}</span></summary>
${call.description ? `<p>${text(call.description)}</p>` : ""}
${parameters.length > 0 ? `<h3>Parameters</h3><table>${parameters.join("")}</table>` : ""}
${call.requestBody ? `<h3>Body</h3>${schemaOf(call.requestBody.content)}` : ""}
${tryForm(named)}
<h3>Responses</h3><table>${responses.join("")}</table></details>`;
}

function sharedResponse(ref: string): Described {
  const { responses } = OPENAPI.components as { responses: Record<string, Described> };
  return responses[ref.split("/").at(-1) ?? ""] ?? { description: "" };
}

function schemaOf(content: Json): string {
  return Object.values(content as Record<string, { schema: Json }>)
    .map(({ schema }) => {
      const name = typeof schema.$ref === "string" ? schema.$ref.split("/").at(-1) : undefined;
      if (name === undefined) return pretty(schema);
      return ` <a href="#${html(name)}">${html(name)}</a>`;
    })
    .join("");
}

function pretty(value: unknown): string {
  return `<pre tabindex="0">${html(JSON.stringify(value, undefined, 2))}</pre>`;
}
