// Builds the page from data. Text is only ever set as text, never as HTML: what is shown comes from
// orders, brokers and strangers.

/** An element with attributes (`class`, `title`, handlers) and children: elements or text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "width") element.style.width = value;
    else if (value !== undefined && value !== false)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** Fills a table: columns as [title, class], rows as lists of cells. */
export function table(section, columns, rows, empty) {
  const target = document.querySelector(`#${section} table`);
  const head = el("tr", {}, ...columns.map(([title, cls]) => el("th", { class: cls }, title)));
  const lines = rows.map((cells) =>
    el(
      "tr",
      {},
      ...cells.map((cell, i) =>
        el("td", { class: columns[i][1] }, ...(Array.isArray(cell) ? cell : [cell])),
      ),
    ),
  );
  if (lines.length === 0)
    lines.push(el("tr", {}, el("td", { class: "dim", colspan: columns.length }, empty)));
  const focused = target.contains(document.activeElement) ? document.activeElement : undefined;
  // A button being pressed is not replaced under the pointer; a focused one keeps its focus.
  if (focused?.matches(":active")) return;
  const key = focused?.dataset.key;
  target.replaceChildren(el("thead", {}, head), el("tbody", {}, ...lines));
  if (key !== undefined)
    [...target.querySelectorAll("[data-key]")].find((e) => e.dataset.key === key)?.focus();
}

/** A button that must be pressed twice: the first press asks, for a few seconds. */
export function confirmed(button, question, act) {
  const words = button.textContent;
  let timer;
  const calm = () => {
    clearTimeout(timer);
    button.textContent = words;
    button.classList.remove("asks");
  };
  button.addEventListener("click", () => {
    if (button.classList.contains("asks")) {
      calm();
      act();
      return;
    }
    button.textContent = question;
    button.classList.add("asks");
    timer = setTimeout(calm, 4_000);
  });
}

export const count = (n) =>
  Number.isFinite(n)
    ? n >= 100_000
      ? `${(n / 1000).toFixed(0)}k`
      : n >= 10
        ? Math.round(n).toLocaleString("en")
        : n.toFixed(n > 0 && n < 9.95 && n % 1 ? 1 : 0)
    : "–";
export const time = (ms) =>
  Number.isFinite(ms)
    ? ms >= 10_000
      ? `${(ms / 1000).toFixed(0)} s`
      : ms >= 1000
        ? `${(ms / 1000).toFixed(1)} s`
        : `${Math.round(ms)} ms`
    : "–";
export const mb = (bytes) => `${Math.round(bytes / 2 ** 20)} MB`;

/** Shows the result of an action for a moment. */
export function say(text) {
  const said = document.querySelector("#said");
  said.textContent = text;
  said.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => said.classList.remove("shown"), 4_000);
}
