// Forms that try the calls of /docs, the filter of its menu, and addresses of single calls.
// What a gateway answers is only ever set as text.

const TIMEOUT_MS = 35_000;
/** More of a body is not shown: a page that hangs shows nothing. */
const MOST_SHOWN = 200_000;
const UUID7 = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/gi;
/** Headers that say something of the answer. */
const TOLD = ["location", "retry-after", "ratelimit", "ratelimit-policy", "etag", "allow"];

const token = document.querySelector("#token");
const filter = document.querySelector("#filter");

/** An order's id is made by its client, and is of now: RFC 9562, version 7. */
function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  bytes[0] = (bytes[0] & 0x0f) | 0x70;
  bytes[2] = (bytes[2] & 0x3f) | 0x80;
  const hex = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
  const all = Date.now().toString(16).padStart(12, "0") + hex;
  return [8, 12, 16, 20, 32].map((to, i) => all.slice([0, 8, 12, 16, 20][i], to)).join("-");
}

function requestOf(form) {
  const { method, path } = form.dataset;
  const headers = {};
  const query = new URLSearchParams();
  let at = path;
  for (const { name, value, dataset } of form.querySelectorAll("input")) {
    if (dataset.in === "path") at = at.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (dataset.in === "query") query.set(name, value);
    else headers[name] = value;
  }
  const body = form.elements.body?.value;
  if (body !== undefined) headers["content-type"] = "application/json";
  const search = query.toString();
  return { method, path: search ? `${at}?${search}` : at, headers, body };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The token itself is not shown. */
function curlOf({ method, path, headers, body }) {
  const lines = [
    `curl -s${method === "GET" ? "" : ` -X ${method}`} ${quoted(location.origin + path)}`,
  ];
  if (token.value) lines.push('-H "authorization: Bearer $TOKEN"');
  for (const [name, value] of Object.entries(headers))
    lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push(`-d ${quoted(body)}`);
  return lines.join(" \\\n  ");
}

function showCurl(form) {
  form.querySelector(".curl").textContent = curlOf(requestOf(form));
}

function renew(form) {
  const area = form.elements.body;
  if (!area) return;
  const ids = new Map();
  area.value = area.value.replace(UUID7, (id) => ids.get(id) ?? ids.set(id, freshId()).get(id));
  showCurl(form);
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

async function send(form) {
  const button = form.querySelector("button.primary");
  const answer = form.querySelector(".answer");
  const { method, path, headers, body } = requestOf(form);
  const bearer = token.value.trim();
  button.disabled = true;
  answer.replaceChildren(element("p", "dim", "Sending…"));
  const sinceMs = performance.now();
  try {
    const response = await fetch(path, {
      ...{ method, body, cache: "no-store", credentials: "omit" },
      headers: { ...headers, ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    answer.replaceChildren(...partsOf(response, text, performance.now() - sinceMs));
  } catch (error) {
    const late = error.name === "TimeoutError";
    const why = late
      ? "No answer within 35 seconds."
      : `Not sent, or not answered: ${error.message}.`;
    answer.replaceChildren(element("p", "failed", why));
  } finally {
    button.disabled = false;
  }
}

function partsOf(response, text, tookMs) {
  const { status, statusText } = response;
  const line = document.createElement("p");
  line.append(
    element("code", `status s${String(status)[0]}`, String(status)),
    element("span", "", ` ${statusText}`),
    element("span", "dim", ` in ${Math.round(tookMs)} ms, ${text.length} characters`),
  );
  const told = TOLD.filter((name) => response.headers.has(name));
  const heads = told.map((name) => `${name}: ${response.headers.get(name)}`).join("\n");
  return [
    line,
    ...(heads ? [block(heads, "Headers")] : []),
    ...(text ? [block(bodyOf(text), "Body")] : []),
  ];
}

function block(text, label) {
  const made = element("pre", "", text);
  made.tabIndex = 0;
  made.setAttribute("aria-label", label);
  return made;
}

function bodyOf(text) {
  let shown = text;
  try {
    shown = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // not JSON: as it came
  }
  return shown.length > MOST_SHOWN ? `${shown.slice(0, MOST_SHOWN)}\n… and more` : shown;
}

/** #placeOrder opens that call. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named?.matches("details")) return;
  named.open = true;
  named.scrollIntoView();
}

function filterMenu() {
  const wanted = filter.value.trim().toLowerCase();
  for (const list of document.querySelectorAll("nav ul")) {
    for (const item of list.children) {
      const link = item.firstElementChild;
      const of = `${link.title} ${link.textContent} ${link.hash}`.toLowerCase();
      item.hidden = !of.includes(wanted);
    }
    const none = [...list.children].every((item) => item.hidden);
    list.hidden = none;
    list.previousElementSibling.hidden = none;
  }
}

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("input", () => showCurl(form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
  if (form.elements.body?.value.match(UUID7)) {
    const again = element("button", "", "New id");
    again.type = "button";
    again.addEventListener("click", () => renew(form));
    form.querySelector(".send button").after(again);
  }
  form.closest("details").addEventListener("toggle", ({ target }) => {
    if (target.open && !target.dataset.seen) renew(form);
    target.dataset.seen = "yes";
    showCurl(form);
  });
}
document.querySelector("#access").hidden = false;
document.querySelector("#access").addEventListener("submit", (event) => event.preventDefault());
filter.parentElement.hidden = false;
filter.addEventListener("input", filterMenu);
addEventListener("hashchange", openNamed);
openNamed();
