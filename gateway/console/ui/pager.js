// Turns the pages of a list that is known as a whole.
import { html } from "./html.js";

/** `at`: the page, from 0; `turn(to)`. Nothing if there is one page. */
export const Pager = ({ label, at, pages, turn }) =>
  pages > 1 &&
  html`<nav class="pager" aria-label=${label}>
    <button disabled=${at === 0} onClick=${() => turn(at - 1)}>Earlier</button>
    <span>Page ${at + 1} of ${pages}</span>
    <button disabled=${at === pages - 1} onClick=${() => turn(at + 1)}>Later</button>
  </nav>`;

/** The rows of a page, and where it is: a list may have become shorter meanwhile. */
export function pageOf(rows, page, size) {
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const at = Math.min(page, pages - 1);
  return { at, pages, shown: rows.slice(at * size, (at + 1) * size) };
}
