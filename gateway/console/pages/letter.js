// One dead letter in full.
import { html, useRef } from "../ui/html.js";
import { useModal } from "../ui/modal.js";
import { actOn } from "./dead-actions.js";

export function Letter({ letter, me, again, close }) {
  const box = useRef();
  useModal(box);
  const { body, id: _, ...rest } = letter;
  const act = (what) => {
    close();
    actOn(what, [letter], again);
  };
  return html`<dialog ref=${box} id="letter" onClose=${close} aria-labelledby="letter-title">
    <h2 id="letter-title">Dead letter ${letter.id}</h2>
    <dl class="facts">
      ${Object.entries(rest).map(
        ([name, v]) => html`<div><dt>${name[0].toUpperCase()}${name.slice(1)}</dt>
          <dd>${typeof v === "string" ? v : JSON.stringify(v)}</dd></div>`,
      )}
    </dl>
    <pre tabindex="0" aria-label="Body">${
      typeof body === "string" ? body : JSON.stringify(body, null, 2)
    }</pre>
    <menu>
      <button onClick=${close}>Close</button>
      ${
        me.operate &&
        html`<button onClick=${() => act("redrive")}>Redrive…</button>
        <button class="danger" onClick=${() => act("drop")}>Drop…</button>`
      }
    </menu>
  </dialog>`;
}
