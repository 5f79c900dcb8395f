// An order's life in this page: placed exactly once, followed to its end, cancelled.
//
//  1. An order is kept with its id before it is sent, so a page that is reloaded finds it.
//  2. One that was sent and not answered is sent again with the same id, as often as needed.
//  3. Only what the shop has answered is shown as an outcome; anything else is "cannot tell".
import { isFinished, Refused, Unfinished } from "./sluice.js";
import { forget, keepOrder, keptOrders, onOtherTab } from "./store.js";
import { wordsFor } from "./words.js";

const SEND_MS = 60_000;
const LOOK_MS = 8_000;
/** After this long without an answer the page says that it is sending again. */
const PATIENCE_MS = 2_000;
/** How often an order is looked at; live events come in between. */
const EVERY_MS = { accepted: 1_500, parked: 2_000, reserved: 3_000, paid: 5_000 };
const SLOWLY_MS = 10_000;
/** How long the refund of a cancelled order is waited for. */
const REFUND_MS = 300_000;
const RECONNECT_MS = 2_000;

export class Ordering {
  /** By id, newest first. */
  orders = new Map();
  following = new Set();

  /** `connection()` is the SDK's Live, if there is one; `changed` and `announce` tell the page. */
  constructor({ sluice, connection, changed, announce }) {
    Object.assign(this, { sluice, connection, changed, announce });
  }

  /** The visitor's orders from before a reload go on. */
  recover(user) {
    this.user = user;
    for (const order of keptOrders(user)) this.orders.set(order.draft.id, order);
    for (const order of this.orders.values()) this.goOn(order);
    onOtherTab((order, id) => {
      if (order && order.user !== user) return;
      if (!order) this.orders.delete(id);
      else if (!this.orders.has(id)) {
        this.add(order);
        this.goOn(order);
      }
      this.changed();
    });
    this.changed();
  }

  async place(wanted, names) {
    const draft = await this.sluice.draft(wanted);
    const order = { draft, names, user: this.user, phase: "sending", sent: false };
    keepOrder(order); // 1
    this.add(order);
    void this.send(order);
    return draft.id;
  }

  /** Sends an order, or sends it again (2). */
  async send(order) {
    if (order.sending) return;
    const again = order.sent;
    Object.assign(order, { sending: true, why: undefined, phase: again ? "checking" : "sending" });
    this.save(order, { sent: true });
    const slow = setTimeout(() => {
      if (!again) this.save(order, { phase: "again" });
    }, PATIENCE_MS);
    try {
      const placed = await this.sluice.place(order.draft, { again, deadlineMs: SEND_MS });
      const { estimate } = placed.accepted;
      if (placed.status === "sold_out") this.outcome(order, { status: "sold_out" });
      else this.outcome(order, { status: order.details?.status ?? "accepted", estimate });
      void this.follow(order);
    } catch (error) {
      this.failed(order, error);
    } finally {
      clearTimeout(slow);
      order.sending = false;
      this.changed();
    }
  }

  /** Asks the shop to cancel. Safe to repeat. */
  async cancel(order) {
    this.save(order, { cancelling: true, cancelSaid: undefined });
    try {
      const { status, why } = await this.sluice.order(order.draft.id).cancel();
      const said = {
        cancelled: "",
        cancel_pending: "It is cancelled as soon as its turn comes.",
        too_late: `It is too late to cancel: ${why}.`,
      }[status];
      this.save(order, { cancelling: false, cancelSaid: said });
      if (said) this.announce(said);
      this.following.has(order.draft.id) ? order.wake?.() : void this.follow(order);
    } catch (error) {
      const cancelSaid = `The shop has not confirmed the cancel (${reason(error)}). Try again.`;
      this.save(order, { cancelling: false, cancelSaid });
      this.announce(cancelSaid);
    }
  }

  /** Takes an order off the list that will not change any more. */
  dismiss(order) {
    forget(order.draft.id);
    this.orders.delete(order.draft.id);
    this.changed();
  }

  add(order) {
    const others = [...this.orders].filter(([id]) => id !== order.draft.id);
    this.orders = new Map([[order.draft.id, order], ...others]);
    this.changed();
  }

  goOn(order) {
    delete order.sending;
    if (order.over) return;
    if (order.phase === "placed") void this.follow(order);
    else if (order.phase !== "refused" && order.phase !== "not_placed") void this.send(order);
  }

  save(order, changes) {
    Object.assign(order, changes);
    const { sending, wake, lost, ...kept } = order;
    keepOrder(kept);
    this.changed();
  }

  failed(order, error) {
    const why = reason(error);
    if (error instanceof Refused) {
      this.save(order, { phase: "refused", why, over: true });
      this.announce(`Not ordered: ${why}`);
      return;
    }
    const noEffect = error instanceof Unfinished && error.effect === "none";
    this.save(
      order,
      noEffect ? { phase: "not_placed", why, sent: false } : { phase: "unsure", why },
    ); // 3
    this.announce(
      noEffect ? `Not ordered: ${why}` : "We cannot tell yet whether the order arrived",
    );
  }

  outcome(order, details) {
    const before = order.phase === "placed" ? order.details?.status : undefined;
    this.save(order, { phase: "placed", details, over: this.isOver(details) });
    if (before === details.status || details.status === "accepted") return;
    const { title, text } = wordsFor(details.status, details);
    this.announce(`${order.names.join(", ")}: ${title}. ${text}`);
  }

  /** Looks at an order until its end: at once when it has news, and every few seconds. */
  async follow(order) {
    const { id } = order.draft;
    if (this.following.has(id) || this.isOver(order.details)) return;
    this.following.add(id);
    const ends = new AbortController();
    void this.listen(order, ends.signal);
    try {
      while (!this.isOver(order.details) && this.orders.has(id)) {
        await this.look(order);
        if (!this.isOver(order.details)) await this.rest(order);
      }
    } finally {
      ends.abort();
      this.following.delete(id);
    }
  }

  /** Nothing more will happen to it that the page shows. */
  isOver(details) {
    if (!details || !isFinished(details.status)) return false;
    const { status, events = [], acceptedAt } = details;
    const has = (word) => events.some(({ event }) => event === word);
    const refundDue = status === "cancelled" && (has("paid") || has("refund")) && !has("refunded");
    return !refundDue || this.sluice.now() - Date.parse(acceptedAt) > REFUND_MS;
  }

  async look(order) {
    try {
      const details = await this.sluice.order(order.draft.id).get({ deadlineMs: LOOK_MS });
      order.lost = undefined;
      this.outcome(order, details);
    } catch {
      order.lost ??= this.sluice.now(); // what is known stays, with its age
      this.changed();
    }
  }

  /** Wakes when the order has news, or when it is time to look again. */
  rest(order) {
    const often = EVERY_MS[order.details?.status] ?? SLOWLY_MS;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, document.hidden ? SLOWLY_MS : often);
      order.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async listen(order, signal) {
    while (!signal.aborted) {
      try {
        const live = this.connection();
        const events = live?.order(order.draft.id).events({ signal });
        if (events) for await (const _ of events) order.wake?.();
      } catch {
        // the order is still looked at every few seconds
      }
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
    }
  }
}

function reason(error) {
  const { problem } = error;
  if (!problem) return error instanceof Unfinished ? "no answer" : "the shop cannot be reached";
  return problem.field === undefined ? problem.title : `${problem.title}: ${problem.field}`;
}
