// Asks before it acts: says what will change, and waits for a second decision.
import { html, useEffect, useRef, useState } from "./html.js";
import { Field } from "./parts.js";
import { say } from "./said.js";
import { store, useStore } from "./store.js";

const asked = store(undefined);

/**
 * `question`: {title, lines, verb, danger?, fields?, act}. `lines`, or what they are for the values
 * of the fields, is the list of changes: texts or [what, from, to]. `fields`: {name, label, hint?,
 * value, …attributes of the input}. `act(values)` resolves to a text, or rejects with an Error
 * whose words are shown.
 */
export function ask(question) {
  asked.set(question);
}

export function Dialog() {
  const question = useStore(asked);
  return question ? html`<${Asked} ...${question} key=${question.title} />` : null;
}

function Asked({ title, lines, verb, danger, fields = [], act }) {
  const box = useRef();
  const [values, setValues] = useState(
    Object.fromEntries(fields.map(({ name, value = "" }) => [name, value])),
  );
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => box.current.showModal(), []);
  const close = () => asked.set(undefined);
  const confirm = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem("");
    try {
      say(await act(values));
      close();
    } catch (error) {
      setProblem(error.message);
      setBusy(false);
    }
  };
  const changes = typeof lines === "function" ? lines(values) : lines;
  return html`<dialog ref=${box} onClose=${close} aria-labelledby="ask-title" id="ask">
    <form onSubmit=${confirm}>
      <h2 id="ask-title">${title}</h2>
      ${
        fields.length > 0 &&
        html`<div class="form">
        ${fields.map(
          ({
            name,
            label,
            hint,
            value: _,
            ...attributes
          }) => html`<${Field} label=${label} hint=${hint}>
            <input name=${name} ...${attributes} value=${values[name]}
              onInput=${(e) => setValues({ ...values, [name]: e.target.value })} />
          </${Field}>`,
        )}
      </div>`
      }
      <h3 class="changes-head">What changes</h3>
      <ul class="changes" aria-live="polite">
        ${changes.map((line) => html`<li><${Line} line=${line} /></li>`)}
      </ul>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <menu>
        <button type="button" onClick=${close}>Cancel</button>
        <button type="submit" class=${danger ? "danger" : "primary"} disabled=${busy}>
          ${busy ? "Working…" : verb}
        </button>
      </menu>
    </form>
  </dialog>`;
}

function Line({ line }) {
  if (!Array.isArray(line)) return line;
  const [what, from, to] = line;
  return html`<span>${what}:</span> <del>${from}</del> <span aria-hidden="true">→</span>
    <span class="hidden">becomes</span> <ins>${to}</ins>`;
}
