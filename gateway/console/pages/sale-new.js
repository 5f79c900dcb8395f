// A new sale: its fields and items, then a preview, then the call.
import { address, go } from "../router.js";
import { call } from "../session.js";
import { ask } from "../ui/dialog.js";
import { count, dateZone, money, plural } from "../ui/format.js";
import { html, useState } from "../ui/html.js";
import { Panel } from "../ui/panel.js";
import { Field, Problem } from "../ui/parts.js";
import { isoOf, localOf, minorIn, newRef } from "./sale-fields.js";

const NO_ITEM = { sku: "", name: "", category: "", price: "", limitPerUser: "0", initial: "" };
const HOUR_MS = 3_600_000;
/** The form is always as of now. */
const FORM = { value: {}, atMs: 0, why: "" };

export function NewSale({ again }) {
  return html`<p><a href=${address("sales")}>← All sales</a></p>
    <${Panel} id="new-sale" title="New sale" known=${FORM} view=${Form} again=${again} />`;
}

function Form({ again }) {
  const nowMs = Date.now();
  const [sale, setSale] = useState({
    ...{ id: "", name: "", currency: "EUR" },
    ...{ opensAt: localOf(nowMs + HOUR_MS), closesAt: localOf(nowMs + 3 * HOUR_MS) },
  });
  const [items, setItems] = useState([NO_ITEM]);
  const [problem, setProblem] = useState("");
  const input = (name, label, attributes = {}) => html`<${Field} label=${label}
    hint=${attributes.hint}><input name=${name} required value=${sale[name]} ...${attributes}
      onInput=${(e) => setSale({ ...sale, [name]: e.target.value })} /></${Field}>`;
  const change = (at, changed) =>
    setItems(items.map((was, i) => (i === at ? { ...was, ...changed } : was)));
  const preview = (event) => {
    event.preventDefault();
    try {
      setProblem("");
      confirm(bodyOf(sale, items), again);
    } catch (error) {
      setProblem(error.message);
    }
  };
  return html`<form class="form" onSubmit=${preview}>
    ${input("id", "Id", { pattern: "[A-Za-z0-9._\\-]{1,64}", hint: "Cannot be changed later." })}
    ${input("name", "Name")}
    ${input("currency", "Currency", { pattern: "[A-Z]{3}", maxlength: 3 })}
    ${input("opensAt", "Opens (your time zone)", { type: "datetime-local", step: 1 })}
    ${input("closesAt", "Closes (your time zone)", { type: "datetime-local", step: 1 })}
    ${items.map(
      (item, i) => html`<${Item} item=${item} at=${i} key=${i} currency=${sale.currency}
      change=${(changed) => change(i, changed)}
      remove=${items.length > 1 && (() => setItems(items.filter((_, j) => j !== i)))} />`,
    )}
    <div class="all">
      <button type="button" onClick=${() => setItems([...items, NO_ITEM])}>Add another item</button>
      <button class="primary">Preview…</button>
    </div>
    ${problem && html`<div class="all"><${Problem}>${problem}</${Problem}></div>`}
  </form>`;
}

function Item({ item, at, currency, change, remove }) {
  const input = (name, label, attributes = {}) => html`<${Field} label=${label}
    hint=${attributes.hint}><input required value=${item[name]} ...${attributes}
      onInput=${(e) => change({ [name]: e.target.value })} /></${Field}>`;
  const units = { type: "number", min: 0, step: 1 };
  return html`<fieldset class="form"><legend>Item ${at + 1}</legend>
    ${input("sku", "SKU")} ${input("name", "Name")} ${input("category", "Category")}
    ${input("price", `Price in ${currency}`, { inputmode: "decimal" })}
    ${input("initial", "Units", units)}
    ${input("limitPerUser", "Units per user", { ...units, hint: "0: no limit" })}
    ${
      remove &&
      html`<div class="all"><button type="button" onClick=${remove}>Remove item ${at + 1}
      </button></div>`
    }
  </fieldset>`;
}

/** Throws an Error that names what cannot be sent. */
function bodyOf({ opensAt, closesAt, ...sale }, items) {
  if (opensAt >= closesAt) throw new Error("The sale must close after it opens.");
  return {
    ...sale,
    ...{ opensAt: isoOf(opensAt), closesAt: isoOf(closesAt) },
    items: items.map(({ price, initial, limitPerUser, ...item }, i) => {
      const priceMinor = minorIn(price, sale.currency);
      if (priceMinor === undefined)
        throw new Error(`Item ${i + 1}: "${price}" is no amount in ${sale.currency}.`);
      return { ...item, priceMinor, initial: Number(initial), limitPerUser: Number(limitPerUser) };
    }),
  };
}

function confirm(body, again) {
  const units = body.items.reduce((n, item) => n + item.initial, 0);
  const ref = newRef();
  ask({
    ...{ title: `Create the sale ${body.name}`, verb: "Create the sale" },
    lines: [
      `Opens ${dateZone(body.opensAt)}, closes ${dateZone(body.closesAt)}`,
      `Items: ${count(body.items.length)}, with ${plural(units, "unit")}`,
      ...body.items.map(
        (i) =>
          `${i.name}: ${plural(i.initial, "unit")} at ${money(
            i.priceMinor,
            body.currency,
          )}, ${i.limitPerUser ? `at most ${i.limitPerUser} per user` : "no limit"}`,
      ),
    ],
    async act() {
      const answer = await call("POST", "/v1/admin/sales", body, ref);
      if (!answer.ok) throw new Error(answer.problem);
      again();
      go(address("sales", { sale: body.id }));
      return [`${body.name} is created.`, ...(answer.value.warnings ?? [])].join(" ");
    },
  });
}
