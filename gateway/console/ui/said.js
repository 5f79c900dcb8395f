// Says how an action ended, for a moment and to screen readers.
import { html } from "./html.js";
import { store, useStore } from "./store.js";

const SHOWN_MS = 6_000;
const said = store({ text: "", level: "ok" });
let timer;

export function say(text, level = "ok") {
  clearTimeout(timer);
  said.set({ text, level });
  timer = setTimeout(() => said.set({ text: "", level }), SHOWN_MS);
}

export function Said() {
  const { text, level } = useStore(said);
  return html`<p id="said" role="status" class="${text ? "shown" : ""} ${level}">${text}</p>`;
}
