// What the browser keeps: the visitor's token, the cart, and each order with its id before it is
// sent. Each order has a key of its own, so that two tabs do not overwrite each other's.

const PREFIX = "sluice-shop ";
const ORDER = `${PREFIX}order `;
const MAX_ORDERS = 50;

/** False if this browser keeps nothing, as some do in private windows. */
export let keeps = true;

export function recall(name) {
  return read(PREFIX + name);
}

export function keep(name, value) {
  write(PREFIX + name, value);
}

/** Orders of a visitor, newest first: ids begin with their time. */
export function keptOrders(user) {
  const keys = keysOf(ORDER).sort().reverse();
  const orders = keys.map(read).filter((order) => order?.user === user && order.draft?.id);
  for (const { draft } of orders.filter(({ over }) => over).slice(MAX_ORDERS)) forget(draft.id);
  return orders;
}

export function keepOrder(order) {
  write(ORDER + order.draft.id, order);
}

export function forget(id) {
  try {
    localStorage.removeItem(ORDER + id);
  } catch {
    keeps = false;
  }
}

/** Calls with the id of an order that another tab has changed. */
export function onOtherTab(tell) {
  addEventListener("storage", ({ key }) => {
    if (key?.startsWith(ORDER)) tell(read(key), key.slice(ORDER.length));
  });
}

function keysOf(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    keeps = false;
    return [];
  }
}

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "null") ?? undefined;
  } catch {
    return undefined; // not ours, or nothing is kept here
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    keeps = false;
  }
}
