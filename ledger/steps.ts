// Records what became of reserved orders: charges, refunds, cancels, parts. It changes single rows
// rather than many at once.

import type { Attempt } from "../core/domain/charge.ts";
import { type Entry, isOrderStep, type OrderStep } from "../core/domain/entry.ts";
import type { Runner } from "./db.ts";
import {
  askNext,
  chargeEvent,
  moveCharge,
  post,
  requestOf,
  restart,
  statusOf,
  TERMS,
  termsOf,
  waitBefore,
} from "./obligations.ts";
import { addParts } from "./parts.ts";
import { bucketOf } from "./places.ts";
import { ask, Contradiction, followUp, type Sheet, traced } from "./sheet.ts";

/** The queue for each attempt's charge: the first at once, a retry after its delay. */
const QUEUE_OF_ATTEMPT = [
  "payments",
  "payments",
  "payments.retry.1",
  "payments.retry.2",
  "payments.retry.3",
];

export async function recordSteps(tx: Runner, sheet: Sheet, entry: Entry): Promise<void> {
  for (const step of entry.steps) if (isOrderStep(step)) await recordStep(tx, sheet, entry, step);
}

async function recordStep(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const { what, attempt, detail } = step;
  const of = attemptOf(step);
  switch (what) {
    case "start":
      return start(tx, sheet, entry, of);
    case "charge_failed":
      await moveCharge(tx, of, STARTED, "failed", detail);
      return chargeEvent(sheet, entry, of, "charge_failed", detail);
    case "given_up":
      return giveUp(tx, sheet, entry, of, detail);
    case "paid":
      return paid(tx, sheet, entry, step);
    case "claimed":
    case "done":
      sheet.partSteps.push(step);
      return chargeEvent(sheet, entry, of, what, detail);
    case "dispatched":
      return restate(sheet, entry, step, "dispatched", ["paid"]);
    case "redriven":
      chargeEvent(sheet, entry, of, "redriven", "");
      return restate(sheet, entry, step, detail, ["payment_failed"]);
    case "payment_failed":
      return paymentFailed(tx, sheet, entry, step);
    case "cancelled":
      if (attempt === 0) await moveCharge(tx, of, ["waiting"], "dropped", what);
      if (detail === "sold") sheet.partSteps.push(step);
      return restate(sheet, entry, step, "cancelled", [detail === "sold" ? "paid" : "reserved"]);
    case "expired":
      await moveCharge(tx, of, ["waiting"], "dropped", what);
      return restate(sheet, entry, step, "expired", ["reserved"]);
    case "refund":
      return refund(tx, sheet, entry, of);
  }
}

const STARTED = ["started"];

function attemptOf({ user, id, generation, attempt }: OrderStep): Attempt {
  return { user, id, generation, attempt };
}

/** Records the attempt before anybody can ask the provider for it. */
async function start(tx: Runner, sheet: Sheet, entry: Entry, of: Attempt): Promise<void> {
  const { user, id, generation, attempt } = of;
  const waited = await tx.run(
    `UPDATE charges SET attempt = ?, status = 'started' WHERE id = ? AND usr = ? AND generation = ?
     AND attempt = 0 AND status = 'waiting' RETURNING ${TERMS}`,
    [attempt, id, user, generation],
  );
  const rows = waited.length > 0 ? waited : await startNext(tx, of);
  if (!rows[0]) throw new Contradiction(`attempt ${attempt} of ${user}/${id} cannot start`);
  const queue = QUEUE_OF_ATTEMPT[attempt] ?? "payments";
  ask(sheet, entry.shard, queue, requestOf(of, "started", termsOf(rows[0])));
}

/** Copies the terms of the attempt before, which must have failed. */
function startNext(tx: Runner, { user, id, generation, attempt }: Attempt) {
  return tx.run(
    `INSERT INTO charges (usr, id, generation, attempt, amount, currency, payment, status, detail,
       metadata, rate_id, rate, trace)
     SELECT usr, id, generation, ?, amount, currency, payment, 'started', '', metadata, rate_id,
       rate, trace FROM charges
     WHERE id = ? AND usr = ? AND generation = ? AND attempt = ? AND status = 'failed'
     RETURNING ${TERMS}`,
    [attempt, id, user, generation, attempt - 1],
  );
}

async function paid(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const terms = await moveCharge(tx, attemptOf(step), STARTED, "captured", step.detail);
  post(sheet, entry, terms, "customer", "revenue");
  await addParts(tx, sheet, entry, step, { metadata: terms.metadata, trace: terms.trace });
  restate(sheet, entry, step, "paid", ["reserved"]);
}

/** Gives the order up; the attempt is looked up until its end is known. */
async function giveUp(
  tx: Runner,
  sheet: Sheet,
  entry: Entry,
  of: Attempt,
  detail: string,
): Promise<void> {
  const { sinceMs } = await moveCharge(tx, of, STARTED, "unknown", detail);
  chargeEvent(sheet, entry, of, "charge_unknown", detail);
  await askNext(tx, sheet, entry, of, "unknown", waitBefore("unknown", sinceMs, entry.atMs));
}

async function paymentFailed(
  tx: Runner,
  sheet: Sheet,
  entry: Entry,
  step: OrderStep,
): Promise<void> {
  const { detail } = step;
  const of = attemptOf(step);
  if ((await statusOf(tx, of)) !== "unknown") {
    await moveCharge(tx, of, STARTED, "failed", detail);
    chargeEvent(sheet, entry, of, "charge_failed", detail);
  }
  restate(sheet, entry, step, "payment_failed", ["reserved"]);
  await deadLetter(tx, sheet, entry, step);
}

/**
 * Refunds what was captured. The money leaves the revenue at once, whenever the provider refunds
 * it. What the provider has already returned is not refunded again.
 */
async function refund(tx: Runner, sheet: Sheet, entry: Entry, of: Attempt): Promise<void> {
  const status = await statusOf(tx, of);
  if (status === "returned" || status === "disputed") return;
  if (status !== "captured" && status !== "started")
    throw new Contradiction(`attempt ${of.attempt} of ${of.user}/${of.id} has nothing to refund`);
  const terms = await restart(tx, of, status, "refunding");
  post(sheet, entry, terms, status === "captured" ? "revenue" : "customer", "refunds");
  chargeEvent(sheet, entry, of, "refund", "");
  ask(sheet, entry.shard, "payments", requestOf(of, "refunding", terms));
}

function restate(
  sheet: Sheet,
  entry: Entry,
  { user, id }: OrderStep,
  state: string,
  from: readonly string[],
): void {
  sheet.moved.push({ state, from, bucket: bucketOf(user, entry.shard), id, user });
  sheet.events.push(user, id, entry.atMs, state, "", entry.shard, entry.n);
}

/**
 * Includes every attempt: an operator needs to know why it failed, and whether another try makes
 * sense.
 */
async function deadLetter(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const { user, id, generation } = step;
  const history = await tx.run(
    `SELECT attempt, amount, currency, status, detail, trace FROM charges
     WHERE id = ? AND usr = ? AND generation = ? ORDER BY attempt`,
    [id, user, generation],
  );
  const tried = history
    .filter((r) => Number(r.attempt) > 0)
    .map((r) => ({ attempt: Number(r.attempt), status: r.status, detail: r.detail }));
  const letter = {
    reason: "payment_failed",
    user,
    id,
    generation,
    shard: entry.shard,
    atMs: entry.atMs,
    attempts: tried.length,
    history: tried,
    ...traced(String(history[0]?.trace ?? "")),
  };
  followUp(sheet, entry.shard, "", "payments.dead", JSON.stringify(letter));
}
