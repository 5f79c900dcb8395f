// How long ago something was, with the moment itself as the title.
import { dateTime, duration, fullTime } from "./format.js";
import { html } from "./html.js";

/** `ms`: Unix ms; undefined: unknown. */
export function Ago({ ms, suffix = "ago" }) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) return "unknown";
  const at = new Date(ms);
  return html`<time datetime=${at.toISOString()} title=${fullTime(at)}>${duration(
    Math.max(0, Date.now() - ms),
  )} ${suffix}</time>`;
}

export const At = ({ at }) =>
  at
    ? html`<time datetime=${new Date(at).toISOString()} title=${fullTime(at)}>${dateTime(
        at,
      )}</time>`
    : "unknown";

/** When a UUIDv7 was made, Unix ms. */
export function madeMs(id) {
  const ms = Number.parseInt(String(id).replaceAll("-", "").slice(0, 12), 16);
  return Number.isNaN(ms) ? undefined : ms;
}
