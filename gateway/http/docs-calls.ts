// The document of /docs, from the OpenAPI description: pure text.
import { sampleOf } from "./docs-sample.ts";
import { OPENAPI } from "./openapi.ts";

type Json = Record<string, unknown>;
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly description: string;
  readonly required?: boolean;
}
interface Call {
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
interface Listed extends Call {
  readonly method: string;
  readonly path: string;
}
interface Subject {
  readonly name: string;
  readonly description: string;
  readonly calls: readonly Listed[];
}

/** A socket and an endless answer are nothing for a form. */
const NOT_TRIED: ReadonlySet<string> = new Set(["openSocket", "followOrder"]);

export function callsByTag(openapi: Json): readonly Subject[] {
  const all = Object.entries(openapi.paths as Record<string, Record<string, Call>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, call]): Listed => ({ ...call, method, path })),
  );
  return (openapi.tags as readonly Omit<Subject, "calls">[]).map((tag) => ({
    ...tag,
    calls: all.filter(({ tags }) => tags.includes(tag.name)),
  }));
}

export function documentOf(subjects: readonly Subject[]): string {
  const info = OPENAPI.info as { title: string; description: string };
  const { schemas } = OPENAPI.components as { schemas: Json };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(info.title)}: HTTP API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/console/style/base.css">
<link rel="stylesheet" href="/docs/style.css">
<script type="module" src="/console/ui/theme.js"></script>
<script type="module" src="/docs/try.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="side">
<p class="brand"><a href="/docs">${html(info.title)} <span>HTTP API</span></a></p>
<label class="filter" hidden>Filter <input id="filter" type="search" autocomplete="off"></label>
<nav aria-label="Calls">${subjects.map(menuOf).join("\n")}
<h2><a href="#schemas">Schemas</a></h2></nav>
</header>
<main id="main">
<h1>HTTP API</h1>
<p class="lede">${html(info.description)}</p>
<p>For programs: <a href="/openapi.json">openapi.json</a>; for the WebSocket and services
<a href="/asyncapi.json">asyncapi.json</a>.</p>
<form id="access" hidden>
<label for="token">Token</label>
<input id="token" type="password" autocomplete="off" spellcheck="false"
aria-describedby="token-about">
<p id="token-about" class="dim">For the forms below, kept until you leave the page. On one machine:
<code>./sluice token --user ann</code>, for operators with <code>--scope operator</code>.</p>
</form>
${subjects.map(sectionOf).join("\n")}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>
${Object.entries(schemas).map(schemaItem).join("\n")}</section>
</main>
</body>
</html>
`;
}

const slug = (name: string): string => name.toLowerCase().replaceAll(" ", "-");

function menuOf({ name, calls }: Subject): string {
  const links = calls.map(
    ({ operationId, method, path, summary }) =>
      `<li><a href="#${operationId}" title="${method.toUpperCase()} ${html(path)}">` +
      `${verb(method)}<span>${text(summary)}</span></a></li>`,
  );
  return `<h2><a href="#${slug(name)}">${html(name)}</a></h2><ul>${links.join("\n")}</ul>`;
}

const verb = (method: string): string =>
  `<b class="method ${method}">${method === "delete" ? "DEL" : method.toUpperCase()}</b>`;

const sectionOf = ({ name, description, calls }: Subject): string =>
  `<section aria-labelledby="${slug(name)}"><h2 id="${slug(name)}">${html(name)}</h2>
<p class="dim">${text(description)}</p>
${calls.map(callOf).join("\n")}</section>`;

function callOf(call: Listed): string {
  const { operationId, method, path, summary, description, parameters = [] } = call;
  const rows = parameters.map(rowOf).join("");
  const responses = Object.entries(call.responses).map(([status, { $ref, ...own }]) => {
    const { description: words, content } = $ref === undefined ? own : sharedResponse($ref);
    return (
      `<tr><td><code class="status s${status[0]}">${status}</code></td>` +
      `<td>${text(words)}${content ? schemaOf(content) : ""}</td></tr>`
    );
  });
  return `<details class="call" id="${operationId}"><summary>${verb(method)}
<code>${html(path)}</code><span>${text(summary)}</span></summary>
<div class="inside">
${description ? `<p>${text(description)}</p>` : ""}
${rows === "" ? "" : `<h3>Parameters</h3><table>${rows}</table>`}
${call.requestBody ? `<h3>Body</h3>${schemaOf(call.requestBody.content)}` : ""}
<h3>Responses</h3><table>${responses.join("")}</table>
${NOT_TRIED.has(operationId) ? "" : formOf(call)}
</div></details>`;
}

const rowOf = ({ name, in: place, description, required }: Parameter): string =>
  `<tr><td><code>${html(name)}</code></td><td class="dim">${html(place)}` +
  `${required ? ", required" : ""}</td><td>${text(description)}</td></tr>`;

/** Shown by the script, which sends what is in it. */
function formOf({ operationId, method, path, parameters = [], requestBody }: Listed): string {
  const fields = parameters.map(({ name, in: place, required }) => {
    const id = `${operationId}-${name}`;
    return (
      `<label for="${html(id)}">${html(name)}</label><input id="${html(id)}" ` +
      `name="${html(name)}" data-in="${place}" autocomplete="off"${required ? " required" : ""}>`
    );
  });
  const body = requestBody && Object.values(requestBody.content)[0];
  const sample = body ? sampleOf((body as { schema: Json }).schema) : undefined;
  const area =
    sample === undefined
      ? ""
      : `<label for="${operationId}-body">Body</label><textarea id="${operationId}-body" ` +
        `name="body" rows="${rowsOf(sample)}" spellcheck="false">${html(sample)}</textarea>`;
  return `<form class="try" hidden data-method="${method.toUpperCase()}" data-path="${html(path)}">
<h3>Try it</h3>
${fields.join("\n")}
${area}
<pre class="curl" tabindex="0" aria-label="As a command"></pre>
<div class="send"><button class="primary">Send</button>
<span class="dim">A real request to this gateway.</span></div>
<div class="answer" role="status"></div></form>`;
}

const MOST_ROWS = 18;
const rowsOf = (sample: string): number => Math.min(MOST_ROWS, sample.split("\n").length + 1);

const schemaItem = ([name, schema]: [string, unknown]): string =>
  `<details class="call" id="${html(name)}"><summary><code>${html(name)}</code></summary>` +
  `<div class="inside">${pretty(schema)}</div></details>`;

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

/** Escaped, with `code` marked. */
function text(value: string): string {
  return html(value).replace(/`([^`]+)`/g, "<code>$1</code>");
}

function html(value: string): string {
  return value.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
