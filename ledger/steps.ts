// Records what became of reserved orders: charges, refunds, cancels, parts. It changes single rows
// rather than many at once.

import type { Attempt } from "../core/domain/charge.ts";
import { type Entry, isOrderStep, type OrderStep } from "../core/domain/entry.ts";
import { isOrderState, type OrderState } from "../core/domain/outcome.ts";
import type { Attempts, Charge } from "./attempts.ts";
import { askNext, chargeEvent, post, requestOf, restart, waitBefore } from "./obligations.ts";
import { addParts } from "./parts.ts";
import { bucketOf } from "./places.ts";
import { Contradiction } from "./refusals.ts";
import { addEvent, ask, followUp, lateRows, type Sheet, traced } from "./sheet.ts";

/** The queue for each attempt's charge: the first at once, a retry after its delay. */
const QUEUE_OF_ATTEMPT = [
  "payments",
  "payments",
  "payments.retry.1",
  "payments.retry.2",
  "payments.retry.3",
];

export function recordSteps(attempts: Attempts, sheet: Sheet, entry: Entry): void {
  for (const step of entry.steps) if (isOrderStep(step)) recordStep(attempts, sheet, entry, step);
}

/** The charges that the steps and late answers of these entries are about. */
export function* chargesIn(sheet: Sheet, entries: readonly Entry[]): Generator<Charge> {
  for (const entry of entries) {
    for (const step of entry.steps) if (isOrderStep(step) && !OTHERS.has(step.what)) yield step;
    for (const row of lateRows(sheet, entry)) if (row.kind === "answer") yield row;
  }
}

/** Steps that change no attempt. */
const OTHERS: ReadonlySet<OrderStep["what"]> = new Set([
  "claimed",
  "done",
  "dispatched",
  "redriven",
]);

function recordStep(attempts: Attempts, sheet: Sheet, entry: Entry, step: OrderStep): void {
  const { what, attempt, detail } = step;
  const of = attemptOf(step);
  switch (what) {
    case "start":
      start(attempts, sheet, entry, of);
      break;
    case "charge_failed":
      attempts.move(of, STARTED, "failed", detail);
      chargeEvent(sheet, entry, of, "charge_failed", detail);
      break;
    case "given_up":
      giveUp(attempts, sheet, entry, of, detail);
      break;
    case "paid":
      paid(attempts, sheet, entry, step);
      break;
    case "claimed":
    case "done":
      sheet.partSteps.push(step);
      chargeEvent(sheet, entry, of, what, detail);
      break;
    case "dispatched":
      restate(sheet, entry, step, "dispatched", ["paid"]);
      break;
    case "redriven":
      chargeEvent(sheet, entry, of, "redriven", "");
      if (!isOrderState(detail)) throw new Contradiction(`'${detail}' is no state of an order`);
      restate(sheet, entry, step, detail, ["payment_failed"]);
      break;
    case "payment_failed":
      paymentFailed(attempts, sheet, entry, step);
      break;
    case "cancelled":
      if (attempt === 0) attempts.move(of, ["waiting"], "dropped", what);
      if (detail === "sold") sheet.partSteps.push(step);
      restate(sheet, entry, step, "cancelled", [detail === "sold" ? "paid" : "reserved"]);
      break;
    case "expired":
      attempts.move(of, ["waiting"], "dropped", what);
      restate(sheet, entry, step, "expired", ["reserved"]);
      break;
    case "refund":
      refund(attempts, sheet, entry, step);
      break;
  }
}

const STARTED = ["started"];

function attemptOf({ user, id, generation, attempt }: OrderStep): Attempt {
  return { user, id, generation, attempt };
}

/** Records the attempt before anybody can ask the provider for it. */
function start(attempts: Attempts, sheet: Sheet, entry: Entry, of: Attempt): void {
  const terms = attempts.start(of);
  const queue = QUEUE_OF_ATTEMPT[of.attempt] ?? "payments";
  ask(sheet, entry.shard, queue, requestOf(of, "started", terms));
}

function paid(attempts: Attempts, sheet: Sheet, entry: Entry, step: OrderStep): void {
  const terms = attempts.move(attemptOf(step), STARTED, "captured", step.detail);
  post(sheet, entry, terms, "customer", "revenue", step.saleId);
  addParts(sheet, entry, step, { metadata: terms.metadata, trace: terms.trace });
  restate(sheet, entry, step, "paid", ["reserved"]);
}

/** Gives the order up; the attempt is looked up until its end is known. */
function giveUp(attempts: Attempts, sheet: Sheet, entry: Entry, of: Attempt, detail: string): void {
  const { sinceMs } = attempts.move(of, STARTED, "unknown", detail);
  chargeEvent(sheet, entry, of, "charge_unknown", detail);
  askNext(attempts, sheet, entry, of, "unknown", waitBefore("unknown", sinceMs, entry.atMs));
}

function paymentFailed(attempts: Attempts, sheet: Sheet, entry: Entry, step: OrderStep): void {
  const { detail } = step;
  const of = attemptOf(step);
  if (attempts.statusOf(of) !== "unknown") {
    attempts.move(of, STARTED, "failed", detail);
    chargeEvent(sheet, entry, of, "charge_failed", detail);
  }
  restate(sheet, entry, step, "payment_failed", ["reserved"]);
  deadLetter(attempts, sheet, entry, step);
}

/**
 * Refunds what was captured. The money leaves the revenue at once, whenever the provider refunds
 * it. What the provider has already returned is not refunded again.
 */
function refund(attempts: Attempts, sheet: Sheet, entry: Entry, step: OrderStep): void {
  const of = attemptOf(step);
  const status = attempts.statusOf(of);
  if (status === "returned" || status === "disputed") return;
  if (status !== "captured" && status !== "started")
    throw new Contradiction(`attempt ${of.attempt} of ${of.user}/${of.id} has nothing to refund`);
  const terms = restart(attempts, of, status, "refunding");
  if (status === "captured") post(sheet, entry, terms, "revenue", "refunds", step.saleId);
  else post(sheet, entry, terms, "customer", "refunds");
  chargeEvent(sheet, entry, of, "refund", "");
  ask(sheet, entry.shard, "payments", requestOf(of, "refunding", terms));
}

function restate(
  sheet: Sheet,
  entry: Entry,
  { user, id }: OrderStep,
  state: OrderState,
  from: readonly OrderState[],
): void {
  sheet.moved.push({ state, from, bucket: bucketOf(user, entry.shard), id, user });
  addEvent(sheet, entry, { user, id }, state);
}

/**
 * Includes every attempt: an operator needs to know why it failed, and whether another try makes
 * sense.
 */
function deadLetter(attempts: Attempts, sheet: Sheet, entry: Entry, step: OrderStep): void {
  const { user, id, generation } = step;
  const history = attempts.history({ user, id, generation });
  const tried = history
    .filter(({ attempt }) => attempt > 0)
    .map(({ attempt, status, detail }) => ({ attempt, status, detail }));
  const letter = {
    reason: "payment_failed",
    user,
    id,
    generation,
    shard: entry.shard,
    atMs: entry.atMs,
    // What could not be charged.
    ...(history[0] && { amount: history[0].amount, currency: history[0].currency }),
    attempts: tried.length,
    history: tried,
    ...traced(history[0]?.trace),
  };
  followUp(sheet, entry.shard, "", "payments.dead", JSON.stringify(letter));
}
