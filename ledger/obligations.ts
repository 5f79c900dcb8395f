// Obligations: a charge to settle, an abandoned attempt with an unknown end, a refund to make. Each
// is a row of `charges` until its end is definite.
//
//   1. An attempt has at most one open request. Its requests are numbered.
//   2. A request that could not be answered is put off: the ledger issues the next number, due
//      after a wait that grows with the time spent on it so far.
//   3. A copy with an older number (an operator asked again, or the broker delivered it twice) ends
//      with its next answer.
import { at } from "../core/domain/at.ts";
import { type Attempt, type PaymentRequest, readPutOff } from "../core/domain/charge.ts";
import type { Entry } from "../core/domain/entry.ts";
import type { AnswerRow } from "../core/domain/row.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import type { Runner } from "./db.ts";
import { Contradiction, followUp, lateRows, type Sheet, traced } from "./sheet.ts";

export const TERMS = "amount, currency, payment, metadata, trace, request, since_ms";

export interface Terms {
  readonly amount: number;
  readonly currency: string;
  readonly payment: string;
  readonly metadata: string;
  readonly trace: Traceparent;
  readonly request: number;
  /** When a request first stayed without a definite answer, Unix ms; 0: never. */
  readonly sinceMs: number;
}

export function termsOf(row: Record<string, unknown>): Terms {
  return {
    amount: Number(row.amount),
    currency: String(row.currency),
    payment: String(row.payment),
    metadata: String(row.metadata ?? ""),
    trace: String(row.trace ?? ""),
    request: Number(row.request),
    sinceMs: Number(row.since_ms),
  };
}

/** The request for an attempt in each status that is not its end. */
const ASKED = { started: "charge", unknown: "lookup", refunding: "refund" } as const;
export type OpenStatus = keyof typeof ASKED;
export const OPEN_STATUSES = Object.keys(ASKED) as OpenStatus[];

/** The wait before the next request, ms: half the time spent so far, within these bounds. */
const WAITS: Readonly<Record<OpenStatus, { readonly leastMs: number; readonly mostMs: number }>> = {
  started: { leastMs: 1_000, mostMs: 60_000 },
  unknown: { leastMs: 5_000, mostMs: 3_600_000 },
  refunding: { leastMs: 2_000, mostMs: 3_600_000 },
};

export function requestOf(of: Attempt, status: OpenStatus, terms: Terms): PaymentRequest {
  const { amount, currency, payment, trace, request, sinceMs } = terms;
  const { user, id, generation, attempt } = of;
  const about = { user, id, generation, attempt, amount, currency, request };
  const asked = { ...about, ...(sinceMs > 0 ? { sinceMs } : {}), ...traced(trace) };
  const kind = ASKED[status];
  return kind === "charge" ? { kind, ...asked, payment } : { kind, ...asked };
}

/**
 * Moves an attempt to a status. Its present one must be in `from`; otherwise Redis has lost
 * something. Throws Contradiction.
 */
export async function moveCharge(
  tx: Runner,
  of: Attempt,
  from: readonly string[],
  status: string,
  detail: string,
): Promise<Terms> {
  const { user, id, generation, attempt } = of;
  const rows = await tx.run(
    `UPDATE charges SET status = ?, detail = ? WHERE id = ? AND usr = ? AND generation = ?
     AND attempt = ? AND status IN (${from.map(() => "?").join(",")}) RETURNING ${TERMS}`,
    [status, detail, id, user, generation, attempt, ...from],
  );
  if (rows[0]) return termsOf(rows[0]);
  throw new Contradiction(`attempt ${nameOf(of)} cannot become ${status}`);
}

export async function statusOf(tx: Runner, of: Attempt): Promise<string | undefined> {
  const { user, id, generation, attempt } = of;
  const rows = await tx.run(
    "SELECT status FROM charges WHERE id = ? AND usr = ? AND generation = ? AND attempt = ?",
    [id, user, generation, attempt],
  );
  return rows[0] && String(rows[0].status);
}

/** Issues the next request of an attempt, due after `waitMs` (1). */
export async function askNext(
  tx: Runner,
  sheet: Sheet,
  entry: Entry,
  of: Attempt,
  status: OpenStatus,
  waitMs: number,
): Promise<void> {
  const { user, id, generation, attempt } = of;
  const rows = await tx.run(
    `UPDATE charges SET request = request + 1,
     since_ms = CASE WHEN since_ms = 0 THEN ? ELSE since_ms END
     WHERE id = ? AND usr = ? AND generation = ? AND attempt = ? RETURNING ${TERMS}`,
    [entry.atMs, id, user, generation, attempt],
  );
  const terms = termsOf(at(rows, 0));
  const body = JSON.stringify([requestOf(of, status, terms)]);
  followUp(sheet, entry.shard, "", "payments", body, entry.atMs + waitMs);
}

/** The wait before an attempt is asked for again, ms (2). `sinceMs`: see Terms. */
export function waitBefore(status: OpenStatus, sinceMs: number, nowMs: number): number {
  const { leastMs, mostMs } = WAITS[status];
  const inVainMs = sinceMs === 0 ? 0 : Math.max(0, nowMs - sinceMs);
  return Math.min(mostMs, Math.max(leastMs, Math.round(inVainMs / 2)));
}

/** Answers that changed nothing in Redis but may be news to the ledger. */
export async function recordLateAnswers(tx: Runner, sheet: Sheet, entry: Entry): Promise<void> {
  for (const row of lateRows(sheet, entry))
    if (row.kind === "answer") await lateAnswer(tx, sheet, entry, row);
}

async function lateAnswer(tx: Runner, sheet: Sheet, entry: Entry, row: AnswerRow): Promise<void> {
  const { user, id, generation, attempt, answer, detail } = row;
  const of = { user, id, generation, attempt };
  const status = await statusOf(tx, of);
  if (status === undefined) return;
  const news: News = { tx, sheet, entry, of, status, detail };
  switch (answer) {
    case "captured":
      return lateCapture(news);
    case "failed":
      return settled(news);
    case "unknown":
      return notForgotten(news);
    case "later":
      return later(news);
    case "refunded":
      return refunded(news);
    case "refund_failed":
      return status === "refunding" ? owed(news, "refund_failed") : undefined;
    case "unresolved":
      return unresolved(news);
    case "returned":
    case "disputed":
      return takenBack(news, answer);
  }
}

interface News {
  readonly tx: Runner;
  readonly sheet: Sheet;
  readonly entry: Entry;
  readonly of: Attempt;
  /** Before this answer. */
  readonly status: string;
  readonly detail: string;
}

/** Redis must know every started attempt: an answer that it could not match shows a loss. */
function notForgotten({ of, status }: News): void {
  if (status === "started") throw new Contradiction(`attempt ${nameOf(of)} is under way`);
}

/** Refunds a capture that no order waits for. */
async function lateCapture(news: News): Promise<void> {
  notForgotten(news);
  const { tx, sheet, entry, of, status } = news;
  if (!["failed", "unknown", "unresolved"].includes(status)) return;
  const terms = await restart(tx, of, status, "refunding");
  post(sheet, entry, terms, "customer", "refunds");
  chargeEvent(sheet, entry, of, "refund", "captured when its order no longer waited for it");
  const body = JSON.stringify([requestOf(of, "refunding", terms)]);
  followUp(sheet, entry.shard, "", "payments", body);
}

/** Starts a new obligation of the same attempt, with no time spent on it yet. */
export async function restart(
  tx: Runner,
  of: Attempt,
  from: string,
  status: OpenStatus,
): Promise<Terms> {
  await moveCharge(tx, of, [from], status, "");
  const { user, id, generation, attempt } = of;
  const rows = await tx.run(
    `UPDATE charges SET request = request + 1, since_ms = 0
     WHERE id = ? AND usr = ? AND generation = ? AND attempt = ? RETURNING ${TERMS}`,
    [id, user, generation, attempt],
  );
  return termsOf(at(rows, 0));
}

/** An abandoned attempt has failed after all: nothing is owed. */
async function settled(news: News): Promise<void> {
  notForgotten(news);
  const { tx, sheet, entry, of, status, detail } = news;
  if (status !== "unknown" && status !== "unresolved") return;
  await moveCharge(tx, of, [status], "failed", detail);
  chargeEvent(sheet, entry, of, "charge_failed", detail);
}

async function later({ tx, sheet, entry, of, status, detail }: News): Promise<void> {
  const putOff = readPutOff(detail);
  if (!putOff || !isOpen(status)) return;
  const { user, id, generation, attempt } = of;
  const [row] = await tx.run(
    `SELECT ${TERMS} FROM charges WHERE id = ? AND usr = ? AND generation = ? AND attempt = ?`,
    [id, user, generation, attempt],
  );
  const { request, sinceMs } = termsOf(row as Record<string, unknown>);
  if (putOff.request !== request) return; // 3
  const waitMs = Math.max(putOff.waitMs, waitBefore(status, sinceMs, entry.atMs));
  await askNext(tx, sheet, entry, of, status, waitMs);
}

function isOpen(status: string): status is OpenStatus {
  return status in ASKED;
}

async function refunded({ tx, sheet, entry, of, status }: News): Promise<void> {
  if (status !== "refunding" && status !== "refund_failed") return;
  const terms = await moveCharge(tx, of, [status], "refunded", "");
  post(sheet, entry, terms, "refunds", "customer");
  chargeEvent(sheet, entry, of, "refunded", "");
}

/** Asking ends. An operator has to find out what the provider has taken or still holds. */
async function unresolved(news: News): Promise<void> {
  notForgotten(news);
  if (news.status === "unknown") await owed(news, "unresolved");
  else if (news.status === "refunding") await owed(news, "refund_failed");
}

/** It stays owed, as a dead letter, until an operator has it asked again. */
async function owed(news: News, status: "refund_failed" | "unresolved"): Promise<void> {
  const { tx, sheet, entry, of, detail } = news;
  const { amount, currency } = await moveCharge(tx, of, [news.status], status, detail);
  const event = status === "unresolved" ? "charge_unresolved" : "refund_failed";
  chargeEvent(sheet, entry, of, event, detail);
  const { shard, atMs } = entry;
  const letter = { reason: event, ...of, amount, currency, shard, atMs, detail };
  followUp(sheet, shard, "", "payments.dead", JSON.stringify(letter));
}

/** Money that left at the provider without Sluice asking: returned there, or disputed. */
async function takenBack(news: News, word: "returned" | "disputed"): Promise<void> {
  const { tx, sheet, entry, of, status, detail } = news;
  // A refund under way has arrived, from any sender.
  if (word === "returned" && status !== "captured" && status !== "disputed") return refunded(news);
  if (status !== "captured" && !(word === "returned" && status === "disputed")) {
    if (word === "disputed") chargeEvent(sheet, entry, of, "disputed", detail);
    return;
  }
  const terms = await moveCharge(tx, of, [status], word, detail);
  const from = status === "captured" ? "revenue" : "disputes";
  post(sheet, entry, terms, from, word === "returned" ? "customer" : "disputes");
  chargeEvent(sheet, entry, of, word, detail);
}

export function post(
  sheet: Sheet,
  entry: Entry,
  { amount, currency }: Pick<Terms, "amount" | "currency">,
  from: string,
  to: string,
): void {
  const cause = `entry ${entry.shard}-${entry.n}`;
  sheet.postings.push(cause, currency, from, -amount, cause, currency, to, amount);
}

export function chargeEvent(
  sheet: Sheet,
  entry: Entry,
  { user, id, generation, attempt }: Attempt,
  word: string,
  detail: string,
): void {
  const text = JSON.stringify({ generation, attempt, detail });
  sheet.events.push(user, id, entry.atMs, word, text, entry.shard, entry.n);
}

function nameOf({ user, id, generation, attempt }: Attempt): string {
  return `${user}/${id}/${generation}/${attempt}`;
}
