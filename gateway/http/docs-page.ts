// /openapi.json and /asyncapi.json; /docs is the former for people, as one page without scripts,
// fonts or external resources.
import { ASYNCAPI } from "../socket/asyncapi.ts";
import type { App } from "./calls.ts";
import { OPENAPI } from "./openapi.ts";

type Json = Record<string, unknown>;
interface Call {
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly description: string;
  }[];
  readonly requestBody?: { readonly content: Json };
  readonly responses: Record<string, Described & { readonly $ref?: string }>;
}
interface Described {
  readonly description: string;
  readonly content?: Json;
}

/** Of pages without scripts: this one, and the start page (start-page.ts). */
export const STYLE = `
:root {
  color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent);
  --dim: color-mix(in srgb, currentColor 65%, transparent)
}
body {
  font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 6rem
}
h1 { margin-bottom: .2em } h2 { margin-top: 3rem; border-bottom: 1px solid var(--line) }
details { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer; display: flex; gap: .8rem; flex-wrap: wrap }
summary:focus-visible { outline: 2px solid }
summary code { font-weight: 600 }
.method { min-width: 3.5rem; font-weight: 700 } .dim { color: var(--dim) }
pre {
  overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: 6px;
  font-size: .85rem
}
table { border-collapse: collapse; width: 100% }
td { border-top: 1px solid var(--line); padding: .3rem .6rem .3rem 0; vertical-align: top }
`;

export function addDocs(app: App): void {
  const spec = JSON.stringify(OPENAPI);
  const document = page();
  const headers = plainHeaders();
  const sockets = JSON.stringify(ASYNCAPI);
  app.get("/asyncapi.json", (c) => c.body(sockets, 200, { "content-type": "application/json" }));
  app.get("/openapi.json", (c) => c.body(spec, 200, { "content-type": "application/json" }));
  app.get("/docs", (c) => c.body(document, 200, headers));
}

/** For a page whose only style is STYLE. */
export function plainHeaders(): Record<string, string> {
  const hash = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy":
      `default-src 'none'; style-src 'sha256-${hash}'; ` +
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
}

function page(): string {
  const info = OPENAPI.info as { title: string; description: string };
  const calls = Object.entries(OPENAPI.paths as Record<string, Record<string, Call>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, call]) => section(path, method, call)),
  );
  const schemas = Object.entries((OPENAPI.components as { schemas: Json }).schemas).map(
    ([name, schema]) =>
      `<details id="${html(name)}"><summary><code>${html(name)}</code></summary>` +
      `${pretty(schema)}</details>`,
  );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${html(info.title)}: HTTP API</title><style>${STYLE}</style></head><body><main>
<h1>${html(info.title)}</h1>
<p>${html(info.description)} Machine-readable: <a href="/openapi.json">openapi.json</a>;
for the WebSocket and services <a href="/asyncapi.json">asyncapi.json</a>.</p>
<h2>Calls</h2>${calls.join("\n")}<h2>Schemas</h2>${schemas.join("\n")}</main></body></html>`;
}

function section(path: string, method: string, call: Call): string {
  const parameters = (call.parameters ?? []).map(
    (p) =>
      `<tr><td><code>${html(p.name)}</code></td><td class="dim">${html(p.in)}</td>` +
      `<td>${text(p.description)}</td></tr>`,
  );
  const responses = Object.entries(call.responses).map(([status, { $ref, ...own }]) => {
    const { description, content } = $ref === undefined ? own : sharedResponse($ref);
    return (
      `<tr><td><code>${status}</code></td>` +
      `<td>${text(description)}${content ? schemaOf(content) : ""}</td></tr>`
    );
  });
  return `<details><summary><span class="method">${method.toUpperCase()}</span>
<code>${html(path)}</code><span>${html(call.summary)}</span></summary>
${call.description ? `<p>${text(call.description)}</p>` : ""}
${parameters.length > 0 ? `<h4>Parameters</h4><table>${parameters.join("")}</table>` : ""}
${call.requestBody ? `<h4>Body</h4>${schemaOf(call.requestBody.content)}` : ""}
<h4>Responses</h4><table>${responses.join("")}</table></details>`;
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
  return `<pre>${html(JSON.stringify(value, undefined, 2))}</pre>`;
}

/** Escaped, with `code` marked. */
function text(value: string): string {
  return html(value).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function html(value: string): string {
  return value.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
