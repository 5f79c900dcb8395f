// How long ago something was, with the moment itself as the title.
import { dateTime, duration, fullTime, timeOfDay } from "./format.js";
import { html } from "./html.js";

/** `ms`: Unix ms; undefined: unknown. */
export function Ago({ ms, suffix = "ago" }) {
  if (typeof ms !== "number" || !Number.isFinite(ms)) return "unknown";
  const at = new Date(ms);
  return html`<time datetime=${at.toISOString()} title=${fullTime(at)}>${duration(
    Math.max(0, Date.now() - ms),
  )} ${suffix}</time>`;
}

/** A moment: of today, the time alone. */
export const At = ({ at }) =>
  at
    ? html`<time class="at" datetime=${new Date(at).toISOString()} title=${fullTime(at)}>${
        isToday(at) ? timeOfDay(at) : dateTime(at)
      }</time>`
    : "unknown";

const isToday = (at) => new Date(at).toDateString() === new Date().toDateString();

/** When a UUIDv7 was made, Unix ms. */
export function madeMs(id) {
  const ms = Number.parseInt(String(id).replaceAll("-", "").slice(0, 12), 16);
  return Number.isNaN(ms) ? undefined : ms;
}
