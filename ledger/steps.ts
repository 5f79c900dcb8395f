// What became of reserved orders: charges that start, succeed or fail, refunds, cancels. These are single rows, not bulk: most orders have none.
import { type Entry, isOrderStep, type OrderStep } from "../core/domain/entry.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import { hasWord, splitWords } from "../core/domain/words.ts";
import type { Runner } from "./db.ts";
import { addParts } from "./parts.ts";
import { bucketOf } from "./places.ts";
import { ask, rowsOf, type Sheet, traced } from "./sheet.ts";

/** Where a charge of an attempt is published: the first at once, a retry after its wait. */
const QUEUE_OF_ATTEMPT = [
  "payments",
  "payments",
  "payments.retry.1",
  "payments.retry.2",
  "payments.retry.3",
];

/** Begins the detail of an attempt that was given up without knowing what became of it. */
const UNKNOWN = "unknown";
const TERMS = "amount, currency, payment, metadata, trace";

interface Terms {
  readonly amount: number;
  readonly currency: string;
  readonly payment: string;
  readonly metadata: string;
  readonly trace: Traceparent;
}

export async function recordSteps(tx: Runner, sheet: Sheet, entry: Entry): Promise<void> {
  for (const step of entry.steps) if (isOrderStep(step)) await recordStep(tx, sheet, entry, step);
}

async function recordStep(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const [what, , , , , , , , detail] = step;
  switch (what) {
    case "start":
      return start(tx, sheet, entry, step);
    case "charge_failed":
      await setStatus(tx, step, "failed", detail);
      return event(sheet, entry, step, "charge_failed", detail);
    case "paid": {
      const terms = await setStatus(tx, step, "captured", detail);
      if (terms) post(sheet, entry, terms, "customer", "revenue");
      await addParts(tx, sheet, entry, step, {
        metadata: terms?.metadata ?? "",
        trace: terms?.trace ?? "",
      });
      return restate(sheet, entry, step, "paid");
    }
    case "claimed":
    case "done":
      sheet.partSteps.push(step);
      return event(sheet, entry, step, what, detail);
    case "dispatched":
      return restate(sheet, entry, step, what);
    case "redriven":
      event(sheet, entry, step, "redriven", "");
      return restate(sheet, entry, step, detail);
    case "payment_failed":
      await setStatus(tx, step, detail.startsWith(UNKNOWN) ? "unknown" : "failed", detail);
      event(sheet, entry, step, "charge_failed", detail);
      restate(sheet, entry, step, "payment_failed");
      return deadLetter(tx, sheet, entry, step);
    case "cancelled":
    case "expired":
      if (step[4] === 0) await setStatus(tx, step, "dropped", what);
      if (detail === "sold") sheet.partSteps.push(step);
      return restate(sheet, entry, step, what);
    case "refund":
      return refund(tx, sheet, entry, step);
  }
}

/** The attempt is on record before anybody can ask the provider for it. */
async function start(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const [, user, id, generation, attempt] = step;
  const waited = await tx.run(
    `UPDATE charges SET attempt = ?, status = 'started' WHERE id = ? AND usr = ? AND generation = ? AND attempt = 0
     RETURNING ${TERMS}`,
    [attempt, id, user, generation],
  );
  const rows =
    waited.length > 0
      ? waited
      : await tx.run(
          `INSERT INTO charges (usr, id, generation, attempt, amount, currency, payment, status, detail, metadata, rate_id, rate, trace)
     SELECT usr, id, generation, ?, amount, currency, payment, 'started', '', metadata, rate_id, rate, trace FROM charges
     WHERE id = ? AND usr = ? AND generation = ? ORDER BY attempt LIMIT 1 RETURNING ${TERMS}`,
          [attempt, id, user, generation],
        );
  const queue = QUEUE_OF_ATTEMPT[attempt] ?? "payments";
  const { amount, currency, payment, trace } = termsOf(rows[0]);
  ask(sheet, entry.shard, queue, {
    kind: "charge",
    user,
    id,
    generation,
    attempt,
    amount,
    currency,
    payment,
    ...traced(trace),
  });
}

/** What was captured goes back. A paid order's money leaves the revenue at once, whenever the provider gets to it. */
async function refund(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const [, user, id, generation, attempt] = step;
  const was = await tx.run(
    "SELECT status FROM charges WHERE id = ? AND usr = ? AND generation = ? AND attempt = ?",
    [id, user, generation, attempt],
  );
  const terms = await setStatus(tx, step, "refunding", "");
  if (!terms) return;
  post(sheet, entry, terms, was[0]?.status === "captured" ? "revenue" : "customer", "refunds");
  event(sheet, entry, step, "refund", "");
  ask(sheet, entry.shard, "payments", {
    kind: "refund",
    user,
    id,
    generation,
    attempt,
    ...traced(terms.trace),
  });
}

async function setStatus(
  tx: Runner,
  step: OrderStep,
  status: string,
  detail: string,
): Promise<Terms | undefined> {
  const [, user, id, generation, attempt] = step;
  const rows = await tx.run(
    `UPDATE charges SET status = ?, detail = ? WHERE id = ? AND usr = ? AND generation = ? AND attempt = ? RETURNING ${TERMS}`,
    [status, detail, id, user, generation, attempt],
  );
  return rows[0] && termsOf(rows[0]);
}

function termsOf(row: Record<string, unknown> | undefined): Terms {
  return {
    amount: Number(row?.amount),
    currency: String(row?.currency),
    payment: String(row?.payment),
    metadata: String(row?.metadata ?? ""),
    trace: String(row?.trace ?? ""),
  };
}

function post(
  sheet: Sheet,
  entry: Entry,
  { amount, currency }: Terms,
  from: string,
  to: string,
): void {
  const cause = `entry ${entry.shard}-${entry.n}`;
  sheet.postings.push(cause, currency, from, -amount, cause, currency, to, amount);
}

function event(sheet: Sheet, entry: Entry, step: OrderStep, word: string, detail: string): void {
  const [, user, id, generation, attempt] = step;
  sheet.events.push(
    user,
    id,
    entry.atMs,
    word,
    JSON.stringify({ generation, attempt, detail }),
    entry.shard,
    entry.n,
  );
}

function restate(sheet: Sheet, entry: Entry, [, user, id]: OrderStep, state: string): void {
  sheet.moved.push([state, bucketOf(user, entry.shard), id, user]);
  sheet.events.push(user, id, entry.atMs, state, "", entry.shard, entry.n);
}

/** The whole trail goes with it: whoever looks at a dead letter wants to know why, and whether it is worth another try. */
async function deadLetter(tx: Runner, sheet: Sheet, entry: Entry, step: OrderStep): Promise<void> {
  const [, user, id, generation] = step;
  const history = await tx.run(
    "SELECT attempt, amount, currency, status, detail, trace FROM charges WHERE id = ? AND usr = ? AND generation = ? ORDER BY attempt",
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
  sheet.followUps.push(entry.shard, "", "payments.dead", JSON.stringify(letter), 0);
}

/** Answers to attempts that were over when they came: a capture nobody counts on goes back, a refund is done, anything else is no news. */
export async function recordLateAnswers(tx: Runner, sheet: Sheet, entry: Entry): Promise<void> {
  for (const { body, outcomes } of entry.messages) {
    if (!hasWord(outcomes, "+late")) continue;
    const words = splitWords(outcomes);
    const rows = rowsOf(body, words.length);
    for (let i = 0; i < rows.length; i++)
      if (words[i] === "+late") await lateAnswer(tx, sheet, entry, rows[i] as AnswerRow);
  }
}

type AnswerRow = readonly [
  "p",
  user: string,
  id: string,
  "",
  atMs: number,
  "",
  0,
  generation: number,
  attempt: number,
  answer: string,
  string,
];

async function lateAnswer(tx: Runner, sheet: Sheet, entry: Entry, row: AnswerRow): Promise<void> {
  const [, user, id, , , , , generation, attempt, answer] = row;
  if (answer === "failed") return;
  const [from, to] =
    answer === "captured"
      ? [["started", "failed", "unknown"], "refunding"]
      : [["refunding"], "refunded"];
  const rows = await tx.run(
    `UPDATE charges SET status = ? WHERE id = ? AND usr = ? AND generation = ? AND attempt = ? AND status IN (${from.map(() => "?").join(",")})
     RETURNING ${TERMS}`,
    [to, id, user, generation, attempt, ...from],
  );
  if (!rows[0]) return;
  const step = ["refund", user, id, generation, attempt, "", "", [], ""] as const;
  const terms = termsOf(rows[0]);
  if (answer === "captured") {
    post(sheet, entry, terms, "customer", "refunds");
    event(sheet, entry, step, "refund", "captured when nobody counted on it any more");
    ask(sheet, entry.shard, "payments", {
      kind: "refund",
      user,
      id,
      generation,
      attempt,
      ...traced(terms.trace),
    });
  } else {
    post(sheet, entry, terms, "refunds", "customer");
    event(sheet, entry, step, "refunded", "");
  }
}
