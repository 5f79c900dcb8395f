// A table that becomes a list of cards where it is too narrow for its columns.
import { html } from "./html.js";

/**
 * `columns`: {head, cell(row), num?, wide?}. The roles keep it a table for readers of the page
 * although its style makes blocks of it.
 */
export function Table({ label, columns, rows, keyOf, empty = "None", rowClass }) {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<table role="table" aria-label=${label}>
    <thead role="rowgroup">
      <tr role="row">
        ${columns.map(
          (c) => html`<th role="columnheader" scope="col" class=${classOf(c)}>${c.head}</th>`,
        )}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map(
        (row) => html`<tr role="row" key=${keyOf(row)} class=${rowClass?.(row) ?? ""}>
          ${columns.map(
            (c) =>
              html`<td role="cell" class=${classOf(c)} data-label=${labelOf(c)}>
                <div>${c.cell(row)}</div>
              </td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

const classOf = ({ num, wide }) => [num ? "n" : "", wide ? "wide" : ""].join(" ").trim();
const labelOf = ({ head }) => (typeof head === "string" ? head : "");
