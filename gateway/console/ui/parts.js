// Small parts that pages share. Colour never stands alone: each state has a sign and a word.
import { html } from "./html.js";

const SIGNS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  notice: "M8 1.6a6.4 6.4 0 1 0 0 12.8a6.4 6.4 0 0 0 0-12.8M8 7.4v3.6M8 4.9v.2",
  warning: "M8 2l6.5 12h-13zM8 6.5v3.5M8 12v.2",
  trouble: "M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2zM8 4.5v4.5M8 11v.2",
  unknown: "M5.5 5.5a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.5M8 12v.2",
};

export const Sign = ({ level }) =>
  html`<svg class="sign ${level}" viewBox="0 0 16 16" aria-hidden="true">
    <path d=${SIGNS[level] ?? SIGNS.unknown} />
  </svg>`;

/** A state in words, with its sign. */
export const State = ({ level, title, children }) =>
  html`<span class="state ${level}" title=${title}><${Sign} level=${level} />${children}</span>`;

export const Figure = ({ label, value, note, level }) =>
  html`<div class="figure ${level ?? ""}">
    <dt>${label}</dt>
    <dd>${value}${note && html`<small>${note}</small>`}</dd>
  </div>`;

export const Field = ({ label, hint, children }) =>
  html`<label class="field"><span>${label}</span>${children}${hint && html`<small>${hint}</small>`}
  </label>`;

/** A share of a whole, in parts: [{share, name, words}]. */
export function Bar({ parts, label }) {
  return html`<div class="bar" role="img" aria-label=${label}>
    ${parts.map(
      ({ share, name }) => html`<i class=${name} style=${{ width: `${100 * share}%` }} />`,
    )}
  </div>`;
}

export const Problem = ({ children }) => html`<p class="problem" role="alert">${children}</p>`;
