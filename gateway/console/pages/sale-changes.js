// Changes of a sale. Each shows what will be different before anything is sent, and carries a
// reference, so that sending it twice changes nothing twice.
import { call } from "../session.js";
import { ask } from "../ui/dialog.js";
import { count, dateZone, money } from "../ui/format.js";
import { isoOf, localOf, majorOf, minorIn, newRef } from "./sale-fields.js";

const REASON = {
  name: "reason",
  label: "Reason",
  required: true,
  maxlength: 200,
  hint: "For the audit log.",
};
const UNITS = { name: "units", label: "Units", type: "number", min: 1, step: 1, required: true };

/** `bodyOf(values)` throws an Error for what cannot be sent. */
function propose({ sale, path, again, done, bodyOf, ...question }) {
  const ref = newRef();
  ask({
    ...question,
    async act(values) {
      const at = `/v1/admin/sales/${encodeURIComponent(sale.id)}${path}`;
      const answer = await call("POST", at, bodyOf(values), ref);
      if (!answer.ok) throw new Error(answer.problem);
      again();
      const { applied, warnings = [] } = answer.value;
      const late = applied === false ? " It is on record, and Redis gets it later." : "";
      return [`${done}.${late}`, ...warnings].join(" ");
    },
  });
}

const item = ({ sku }, verb) => `/items/${encodeURIComponent(sku)}/${verb}`;
const whole = (text) => (/^\d+$/.test(text) ? Number(text) : undefined);
const known = (n, by) => (n === undefined || by === undefined ? "?" : count(n + by));

export function openNow(sale, again) {
  propose({
    ...{ sale, again, path: "/open", done: `${sale.name} is open` },
    ...{ title: `Open ${sale.name} now`, verb: "Open now", bodyOf: () => ({}) },
    lines: [
      ["Opens", dateZone(sale.opensAt), "now"],
      `It closes at ${dateZone(sale.closesAt)}, as before`,
    ],
  });
}

export function closeNow(sale, again) {
  propose({
    ...{ sale, again, path: "/close", done: `${sale.name} is closed`, danger: true },
    ...{ title: `Close ${sale.name} now`, verb: "Close now", bodyOf: () => ({}) },
    lines: [
      ["Closes", dateZone(sale.closesAt), "now"],
      'New orders are answered "sale closed"; accepted ones continue',
    ],
  });
}

export function moveWindow(sale, again) {
  const [from, to] = [localOf(sale.opensAt), localOf(sale.closesAt)];
  const time = { type: "datetime-local", step: 1, required: true };
  propose({
    ...{ sale, again, path: "/open", done: `The window of ${sale.name} has moved` },
    ...{ title: `Change the window of ${sale.name}`, verb: "Change the window" },
    fields: [
      { ...time, name: "at", label: "Opens (your time zone)", value: from },
      { ...time, name: "closesAt", label: "Closes (your time zone)", value: to },
    ],
    lines: ({ at, closesAt }) => [
      ["Opens", dateZone(sale.opensAt), dateZone(at)],
      ["Closes", dateZone(sale.closesAt), dateZone(closesAt)],
    ],
    bodyOf: ({ at, closesAt }) => ({ at: isoOf(at), closesAt: isoOf(closesAt) }),
  });
}

export function restock(sale, what, again) {
  propose({
    ...{ sale, again, path: "/restock", done: `${what.name} is restocked` },
    ...{ title: `Restock ${what.name}`, verb: "Add the units", fields: [UNITS] },
    lines: ({ units }) => [
      ["Left", count(what.units?.available), known(what.units?.available, whole(units))],
      ["Added later", count(what.units?.restocked), known(what.units?.restocked, whole(units))],
    ],
    bodyOf: ({ units }) => ({ sku: what.sku, units: Number(units) }),
  });
}

export function correct(sale, what, again) {
  const { available, corrected = 0 } = what.units ?? {};
  propose({
    ...{ sale, again, path: item(what, "correct"), done: `${what.name} is corrected` },
    ...{ title: `Take units of ${what.name} away`, verb: "Take them away", danger: true },
    fields: [
      { ...UNITS, max: available, hint: "Only free units: never what is held or sold." },
      REASON,
    ],
    lines: ({ units }) => [
      ["Left", count(available), known(available, -(whole(units) ?? Number.NaN))],
      ["Taken away", count(corrected), known(corrected, whole(units))],
    ],
    bodyOf: ({ units, reason }) => ({ units: Number(units), reason }),
  });
}

export function price(sale, what, again) {
  const { currency } = sale;
  propose({
    ...{ sale, again, path: item(what, "price"), done: `${what.name} has a new price` },
    ...{ title: `Change the price of ${what.name}`, verb: "Change the price" },
    fields: [
      {
        name: "price",
        label: `Price in ${currency}`,
        inputmode: "decimal",
        required: true,
        value: majorOf(what.priceMinor, currency),
      },
      {
        name: "from",
        label: "From (your time zone)",
        type: "datetime-local",
        step: 1,
        hint: "Empty: in five seconds.",
      },
      REASON,
    ],
    lines: (v) => [
      ["Price", money(what.priceMinor, currency), money(minorIn(v.price, currency), currency)],
      `For orders accepted from ${v.from ? dateZone(v.from) : "five seconds from now"} on`,
      "Accepted orders keep their price",
    ],
    bodyOf({ price: text, from, reason }) {
      const priceMinor = minorIn(text, currency);
      if (priceMinor === undefined) throw new Error(`"${text}" is no amount in ${currency}`);
      return { priceMinor, ...(from ? { from: isoOf(from) } : {}), reason };
    },
  });
}

export function limit(sale, what, again) {
  const words = (n) => (n === 0 ? "no limit" : n === undefined ? "?" : count(n));
  propose({
    ...{ sale, again, path: item(what, "limit"), done: `${what.name} has a new limit` },
    ...{ title: `Change the limit of ${what.name}`, verb: "Change the limit" },
    fields: [
      { ...UNITS, min: 0, label: "Units per user", hint: "0: no limit", value: what.limitPerUser },
      REASON,
    ],
    lines: ({ units }) => [
      ["Per user", words(what.limitPerUser), words(whole(String(units)))],
      "Users keep what they have",
    ],
    bodyOf: ({ units, reason }) => ({ limitPerUser: Number(units), reason }),
  });
}

export function withdraw(sale, what, again) {
  propose({
    ...{ sale, again, path: item(what, "withdraw"), done: `${what.name} is withdrawn` },
    ...{ title: `Withdraw ${what.name}`, verb: "Withdraw", danger: true, fields: [REASON] },
    lines: [["Can be ordered", "yes", "no"], "Reserved orders continue"],
    bodyOf: ({ reason }) => ({ reason }),
  });
}

export function offer(sale, what, again) {
  propose({
    ...{ sale, again, path: item(what, "offer"), done: `${what.name} is offered again` },
    ...{ title: `Offer ${what.name} again`, verb: "Offer again", fields: [REASON] },
    lines: [["Can be ordered", "no", "yes"]],
    bodyOf: ({ reason }) => ({ reason }),
  });
}

export function addItem(sale, again) {
  const { currency } = sale;
  propose({
    ...{ sale, again, path: "/items", done: "The item is on sale" },
    ...{ title: `Add an item to ${sale.name}`, verb: "Add the item" },
    fields: [
      { name: "sku", label: "SKU", required: true },
      { name: "name", label: "Name", required: true },
      { name: "category", label: "Category", required: true },
      { name: "price", label: `Price in ${currency}`, inputmode: "decimal", required: true },
      {
        ...UNITS,
        name: "limitPerUser",
        label: "Units per user",
        min: 0,
        value: 0,
        hint: "0: no limit",
      },
      { ...UNITS, name: "initial", label: "Units", min: 0 },
      REASON,
    ],
    lines: (v) => [
      `${v.name || "The item"} can be ordered at ${money(minorIn(v.price, currency), currency)}`,
      `Units: ${v.initial || "?"}`,
    ],
    bodyOf({ price: text, ...v }) {
      const priceMinor = minorIn(text, currency);
      if (priceMinor === undefined) throw new Error(`"${text}" is no amount in ${currency}`);
      const numbers = { initial: Number(v.initial), limitPerUser: Number(v.limitPerUser) };
      return { ...v, ...numbers, priceMinor };
    },
  });
}
