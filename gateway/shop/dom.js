// Builds the page from data. Text is only ever set as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`class`, `onclick` …) and children: elements or text. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false)
      element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

/** A drawing of page.html. */
export function drawing(id, className) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", className);
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${id}`);
  svg.append(use);
  return svg;
}

export const $ = (selector) => document.querySelector(selector);

const shownIn = new WeakMap();

/**
 * Shows children made by `make`, if `state` is another than last time. Whatever had the focus
 * keeps it, found by its `data-key`. While one of them is pressed nothing is replaced: a button
 * that goes away under a finger is never clicked. The page draws again within a second.
 */
export function show(target, state, make) {
  const text = JSON.stringify(state);
  if (shownIn.get(target) === text || target.matches(":active")) return;
  shownIn.set(target, text);
  const focused = target.contains(document.activeElement) ? document.activeElement : undefined;
  const key = focused?.dataset.key;
  const open = [...target.querySelectorAll("details[open]")].map((d) => d.dataset.key);
  target.replaceChildren(...make());
  for (const details of target.querySelectorAll("details"))
    if (open.includes(details.dataset.key)) details.open = true;
  if (key !== undefined) target.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

/** Sets a text only if it changes, so that a screen reader is not told again. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
