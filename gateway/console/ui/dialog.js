// Asks before it acts: says what will change, and waits for a second decision.
import { html, useRef, useState } from "./html.js";
import { useModal } from "./modal.js";
import { Field } from "./parts.js";
import { say } from "./said.js";
import { store, useStore } from "./store.js";

const asked = store(undefined);

/**
 * `question`: {title, lines, verb, danger?, fields?, act}. `lines`, or what they are for the values
 * of the fields, is the list of changes: texts or [what, from, to]. `fields`: {name, label, hint?,
 * value, suggest?, …attributes of the input}. `act(values)` resolves to a text, or rejects with an
 * Error whose words are shown.
 */
export function ask(question) {
  asked.set(question);
}

/** Whoever signs in next has asked nothing. */
export const askNothing = () => asked.set(undefined);

/** Only this one: a newer question may have come. */
const endOf = (question) => asked.get() === question && asked.set(undefined);

export function Dialog() {
  const question = useStore(asked);
  return question ? html`<${Asked} question=${question} key=${question.title} />` : null;
}

function Asked({ question }) {
  const { title, lines, verb, danger, fields = [], act } = question;
  const box = useRef();
  const [values, setValues] = useState(
    Object.fromEntries(fields.map(({ name, value = "" }) => [name, value])),
  );
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useModal(box);
  const close = () => endOf(question);
  // What is under way cannot be called back: its end is shown here.
  const closed = () => (busy ? box.current.showModal() : close());
  const confirm = async (event) => {
    event.preventDefault();
    if (busy) return;
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
  return html`<dialog ref=${box} onClose=${closed} aria-labelledby="ask-title"
    id="ask">
    <form onSubmit=${confirm}>
      <h2 id="ask-title">${title}</h2>
      ${
        fields.length > 0 &&
        html`<div class="form">
        ${fields.map(
          (field) => html`<${Input} key=${field.name} ...${field}
          value=${values[field.name]}
          set=${(value) => setValues({ ...values, [field.name]: value })} />`,
        )}
      </div>`
      }
      <h3 class="changes-head">What changes</h3>
      <ul class="changes" aria-live="polite">
        ${changes.map((line) => html`<li><${Line} line=${line} /></li>`)}
      </ul>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <menu>
        <button type="button" disabled=${busy} onClick=${close}>Cancel</button>
        <button type="submit" class=${danger ? "danger" : "primary"} disabled=${busy}>
          ${busy ? "Working…" : verb}
        </button>
      </menu>
    </form>
  </dialog>`;
}

/** `suggest`: values to choose from; another may be typed. */
function Input({ name, label, hint, value, set, suggest, type, ...attributes }) {
  if (type === "checkbox")
    return html`<label class="check"><input type="checkbox" name=${name} checked=${value}
      onChange=${(e) => set(e.target.checked)} /><span>${label}<small>${hint}</small></span>
    </label>`;
  return html`<${Field} label=${label} hint=${hint}>
    <input name=${name} type=${type} ...${attributes} value=${value}
      list=${suggest ? `ask-${name}` : undefined} onInput=${(e) => set(e.target.value)} />
    ${
      suggest &&
      html`<datalist id="ask-${name}">
        ${suggest.map((each) => html`<option value=${each} />`)}</datalist>`
    }
  </${Field}>`;
}

function Line({ line }) {
  if (!Array.isArray(line)) return line;
  const [what, from, to] = line;
  return html`<span>${what}:</span> <del>${from}</del> <span aria-hidden="true">→</span>
    <span class="hidden">becomes</span> <ins>${to}</ins>`;
}
