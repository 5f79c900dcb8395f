// The page of the HTTP API, alive: forms that make the calls, a filter, and links that open what
// they lead to. Without this script the page is complete, but cannot make calls.
//
// 1. The token stays in its field: it is stored nowhere, and goes to this gateway alone.
// 2. What an answer holds is text, and never becomes markup.
// @ts-check

/** A stream may go on forever: no more of it is kept. */
const MOST_CHARS = 200_000;
/** @type {HTMLInputElement} */
const token = one(document, "#token");
/** @type {Map<Element, AbortController>} */
const running = new Map();

/** @type {HTMLElement} */ for (const hidden of document.querySelectorAll(".alive"))
  hidden.hidden = false;
for (const form of document.querySelectorAll("form.try"))
  prepare(/** @type {HTMLFormElement} */ (form));
one(document, "#filter").addEventListener("input", filter);
addEventListener("hashchange", openTarget);
openTarget();

/** @param {HTMLFormElement} form */
function prepare(form) {
  form.hidden = false;
  form.closest("details")?.addEventListener("toggle", () => renew(form), { once: true });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const stop = running.get(form);
    if (stop) stop.abort();
    else void send(form);
  });
  form.querySelector(".new-id")?.addEventListener("click", () => renew(form));
}

/**
 * A new id for the order in the form. Until then the same order is sent again, as it should be.
 * @param {HTMLFormElement} form
 */
function renew(form) {
  const body = form.querySelector("textarea");
  const known = body?.dataset.id;
  if (!body || known === undefined || !body.value.includes(known)) return;
  body.dataset.id = orderId(Date.now());
  body.value = body.value.replace(known, body.dataset.id);
}

/**
 * A UUIDv7: 48 bits of time, then chance.
 * @param {number} nowMs
 */
function orderId(nowMs) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const time = nowMs.toString(16).padStart(12, "0");
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const rest = [...bytes.slice(6)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const hex = time + rest;
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

/** @param {HTMLFormElement} form */
async function send(form) {
  const { method = "GET" } = form.dataset;
  const path = pathOf(form);
  const body = form.querySelector("textarea")?.value;
  const headers = headersOf(form, body !== undefined);
  one(form, ".curl").textContent = curl(method, path, headers, body);
  /** @type {HTMLElement} */
  const output = one(form, "output");
  const status = one(form, ".status");
  const answer = one(form, ".answer");
  const button = one(form, "button");
  output.hidden = false;
  [status.textContent, answer.textContent] = ["…", ""];
  const stop = new AbortController();
  running.set(form, stop);
  button.textContent = "Stop";
  const sentMs = performance.now();
  try {
    const response = await fetch(path, {
      ...{ method, headers, signal: stop.signal, cache: "no-store", redirect: "error" },
      ...(body === undefined ? {} : { body }),
    });
    const ms = Math.round(performance.now() - sentMs);
    status.textContent = `${response.status} ${response.statusText}, after ${ms} ms`;
    const fields = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    const show = (/** @type {string} */ text) => {
      answer.textContent = `${fields}\n\n${readable(text)}`;
    };
    await readAll(response, show);
  } catch (error) {
    const why = stop.signal.aborted
      ? "stopped"
      : `no answer: ${/** @type {Error} */ (error).message}`;
    if (status.textContent === "…") status.textContent = why;
    else status.textContent += `; ${why}`;
  } finally {
    running.delete(form);
    button.textContent = "Send";
  }
}

/**
 * @param {Response} response
 * @param {(text: string) => void} show
 */
async function readAll(response, show) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  show(text);
  while (reader && text.length < MOST_CHARS) {
    const { done, value } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
    show(text);
  }
}

/** @param {string} text */
function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** @param {HTMLFormElement} form */
function pathOf(form) {
  const query = new URLSearchParams();
  let path = form.dataset.path ?? "/";
  for (const { name, place, value } of given(form))
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (place === "query" && value !== "") query.set(name, value);
  return query.size > 0 ? `${path}?${query}` : path;
}

/**
 * @param {HTMLFormElement} form
 * @param {boolean} json
 */
function headersOf(form, json) {
  /** @type {Record<string, string>} */
  const headers = json ? { "content-type": "application/json" } : {};
  const bearer = token.value.trim();
  if (bearer !== "") headers.authorization = `Bearer ${bearer}`;
  for (const { name, place, value } of given(form))
    if (place === "header" && value !== "") headers[name.toLowerCase()] = value;
  return headers;
}

/** @param {HTMLFormElement} form */
function given(form) {
  return [...form.querySelectorAll("[data-in]")].map((element) => {
    const field = /** @type {HTMLInputElement} */ (element);
    return { name: field.name, place: field.dataset.in, value: field.value.trim() };
  });
}

/**
 * The same call for a terminal, without the token.
 * @param {string} method
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {string | undefined} body
 */
function curl(method, path, headers, body) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const fields = Object.entries(headers).map(([name, value]) =>
    name === "authorization"
      ? `-H "authorization: Bearer $TOKEN"`
      : `-H ${quoted(`${name}: ${value}`)}`,
  );
  const rest = body === undefined ? [] : [`-d ${quoted(body)}`];
  return [`curl -X ${method} ${quoted(location.origin + path)}`, ...fields, ...rest].join(
    " \\\n  ",
  );
}

/** Shows the calls whose method, path or summary has the words. */
function filter() {
  /** @type {HTMLInputElement} */
  const field = one(document, "#filter");
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const element of document.querySelectorAll("[data-words]")) {
    const call = /** @type {HTMLElement} */ (element);
    call.hidden = !words.every((word) => call.dataset.words?.includes(word));
  }
}

/** A link to a call or a schema opens it. */
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.hidden = false;
  target.open = true;
  target.scrollIntoView();
}

/**
 * @template {Element} T
 * @param {ParentNode} within
 * @param {string} selector
 * @returns {T}
 */
function one(within, selector) {
  const found = within.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return /** @type {T} */ (found);
}
