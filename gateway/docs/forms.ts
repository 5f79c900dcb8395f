// The form that makes a call from the page of the HTTP API (try.js). Without the script it is
// hidden.
import type { Named, Parameter } from "./docs-page.ts";
import { NEW_ID, sampleOf } from "./samples.ts";

/** A socket is no request that a form can make. */
const WITHOUT: ReadonlySet<string> = new Set(["openSocket"]);
/** Headers that browsers set themselves, or that only confuse here. */
const LEFT_OUT: ReadonlySet<string> = new Set(["traceparent", "If-None-Match"]);
/** So that a first call succeeds beside `sluice up`. */
const VALUES: Readonly<Record<string, string>> = { sale: "demo", sku: "lamp", category: "home" };
const MAX_ROWS = 24;

export function tryForm({ path, method, call }: Named): string {
  if (WITHOUT.has(call.operationId)) return "";
  const fields = (call.parameters ?? [])
    .filter(({ name }) => !LEFT_OUT.has(name))
    .map((parameter) => field(call.operationId, parameter));
  const content = call.requestBody?.content as Record<string, { schema: unknown }> | undefined;
  const schema = content?.["application/json"]?.schema;
  const body = schema === undefined ? "" : bodyField(call.operationId, sampleOf(schema));
  return `<form class="try" hidden data-method="${method.toUpperCase()}" data-path="${html(path)}">
<h3>Try it</h3>${fields.length > 0 ? `<div class="fields">${fields.join("")}</div>` : ""}${body}
<button>Send</button>${body.includes(NEW_ID) ? NEW_ID_BUTTON : ""}
<output hidden><p class="status"></p><pre class="answer" tabindex="0"></pre>
<p class="dim">The same for a terminal:</p><pre class="curl" tabindex="0"></pre></output></form>`;
}

const NEW_ID_BUTTON =
  '<button type="button" class="new-id">New id</button>' +
  '<span class="dim">With the same id, it is the same order.</span>';

function field(of: string, { name, in: place, required, schema }: Parameter): string {
  const id = `${of}-${name}`;
  const choices = schema?.enum as readonly string[] | undefined;
  const attributes = `id="${html(id)}" name="${html(name)}" data-in="${place}"`;
  const value = place === "path" ? (VALUES[name] ?? "") : "";
  const input = choices
    ? `<select ${attributes}><option></option>${choices
        .map((choice) => `<option>${html(String(choice))}</option>`)
        .join("")}</select>`
    : `<input ${attributes} value="${html(value)}" autocomplete="off" spellcheck="false"` +
      `${required ? " required" : ""}>`;
  const note = required ? "" : " <i>(optional)</i>";
  return `<label for="${html(id)}">${html(name)}${note}${input}</label>`;
}

function bodyField(of: string, sample: unknown): string {
  const json = JSON.stringify(sample, undefined, 2);
  const rows = Math.min(MAX_ROWS, json.split("\n").length);
  const id = json.includes(NEW_ID) ? ` data-id="${NEW_ID}"` : "";
  return `<label for="${of}-body">Body</label>
<textarea id="${of}-body" rows="${rows}" spellcheck="false"${id}>${html(json)}</textarea>`;
}

/** Escaped, with `code` marked. */
export function text(value: string): string {
  return html(value).replace(/`([^`]+)`/g, "<code>$1</code>");
}

export function html(value: string): string {
  return value.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
