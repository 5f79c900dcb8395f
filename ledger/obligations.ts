// Obligations: a charge to settle, an abandoned attempt with an unknown end, a refund to make. Each
// is a row of `charges` until its end is definite.
//
//   1. An attempt has at most one open request. Its requests are numbered.
//   2. A request that could not be answered is put off: the ledger issues the next number, due
//      after a wait that grows with the time spent on it so far.
//   3. A copy with an older number (an operator asked again, or the broker delivered it twice) ends
//      with its next answer. If that was put off, it is not published any more (overtaken.ts).
import { type Attempt, type PaymentRequest, readPutOff } from "../core/domain/charge.ts";
import type { Entry } from "../core/domain/entry.ts";
import type { AnswerRow } from "../core/domain/row.ts";
import type { Attempts, Terms } from "./attempts.ts";
import type { OrderEvent } from "./contract.ts";
import { Contradiction } from "./refusals.ts";
import { addEvent, followUp, lateRows, type Sheet, traced } from "./sheet.ts";
import { append, POSTINGS } from "./sheet-rows.ts";

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

/** The request that an attempt in this status waits for, if it waits for one. */
export function kindOf(status: string): PaymentRequest["kind"] | undefined {
  return isOpen(status) ? ASKED[status] : undefined;
}

export function requestOf(of: Attempt, status: OpenStatus, terms: Terms): PaymentRequest {
  const { amount, currency, payment, trace, request, sinceMs } = terms;
  const { user, id, generation, attempt } = of;
  const about = { user, id, generation, attempt, amount, currency, request };
  const asked = { ...about, ...(sinceMs > 0 ? { sinceMs } : {}), ...traced(trace) };
  const kind = ASKED[status];
  return kind === "charge" ? { kind, ...asked, payment } : { kind, ...asked };
}

/**
 * Issues the next request of an attempt, due after `waitMs` (1). `why`: what became of the last
 * one, for the order's story.
 */
export function askNext(
  attempts: Attempts,
  sheet: Sheet,
  entry: Entry,
  of: Attempt,
  status: OpenStatus,
  waitMs: number,
  why?: string,
): void {
  const terms = attempts.nextRequest(of, attempts.termsOf(of)?.sinceMs || entry.atMs, why);
  const waitedMs = entry.atMs + waitMs - terms.sinceMs;
  const body = JSON.stringify([{ ...requestOf(of, status, terms), waitedMs }]);
  followUp(sheet, entry.shard, "", "payments", body, entry.atMs + waitMs);
}

/** The wait before an attempt is asked for again, ms (2). `sinceMs`: see Terms. */
export function waitBefore(status: OpenStatus, sinceMs: number, nowMs: number): number {
  const { leastMs, mostMs } = WAITS[status];
  const inVainMs = sinceMs === 0 ? 0 : Math.max(0, nowMs - sinceMs);
  return Math.min(mostMs, Math.max(leastMs, Math.round(inVainMs / 2)));
}

/** Answers that changed nothing in Redis but may be news to the ledger. */
export function recordLateAnswers(attempts: Attempts, sheet: Sheet, entry: Entry): void {
  for (const row of lateRows(sheet, entry))
    if (row.kind === "answer") lateAnswer(attempts, sheet, entry, row);
}

function lateAnswer(attempts: Attempts, sheet: Sheet, entry: Entry, row: AnswerRow): void {
  const { user, id, generation, attempt, answer, detail } = row;
  const of = { user, id, generation, attempt };
  const status = attempts.statusOf(of);
  if (status === undefined) return;
  const news: News = { attempts, sheet, entry, of, status, detail };
  switch (answer) {
    case "captured":
      lateCapture(news);
      break;
    case "failed":
      settled(news);
      break;
    case "unknown":
      notForgotten(news);
      break;
    case "later":
      later(news);
      break;
    case "refunded":
      refunded(news);
      break;
    case "refund_failed":
      if (status === "refunding") owed(news, "refund_failed");
      break;
    case "unresolved":
      unresolved(news);
      break;
    case "returned":
    case "disputed":
      takenBack(news, answer);
      break;
  }
}

interface News {
  readonly attempts: Attempts;
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
function lateCapture(news: News): void {
  notForgotten(news);
  const { attempts, sheet, entry, of, status } = news;
  if (!["failed", "unknown", "unresolved"].includes(status)) return;
  const terms = restart(attempts, of, status, "refunding");
  post(sheet, entry, terms, "customer", "refunds");
  chargeEvent(sheet, entry, of, "refund", "captured when its order no longer waited for it");
  const body = JSON.stringify([requestOf(of, "refunding", terms)]);
  followUp(sheet, entry.shard, "", "payments", body);
}

/** Starts a new obligation of the same attempt, with no time spent on it yet. */
export function restart(attempts: Attempts, of: Attempt, from: string, status: OpenStatus): Terms {
  attempts.move(of, [from], status, "");
  return attempts.nextRequest(of, 0);
}

/** An abandoned attempt has failed after all: nothing is owed. */
function settled(news: News): void {
  notForgotten(news);
  const { attempts, sheet, entry, of, status, detail } = news;
  if (status !== "unknown" && status !== "unresolved") return;
  attempts.move(of, [status], "failed", detail);
  chargeEvent(sheet, entry, of, "charge_failed", detail);
}

function later({ attempts, sheet, entry, of, status, detail }: News): void {
  const putOff = readPutOff(detail);
  if (!putOff || !isOpen(status)) return;
  const terms = attempts.termsOf(of);
  if (putOff.request !== terms?.request) return; // 3
  const { sinceMs } = terms;
  const waitMs = Math.max(putOff.waitMs, waitBefore(status, sinceMs, entry.atMs));
  askNext(attempts, sheet, entry, of, status, waitMs, putOff.why);
}

function isOpen(status: string): status is OpenStatus {
  return status in ASKED;
}

function refunded({ attempts, sheet, entry, of, status }: News): void {
  if (status !== "refunding" && status !== "refund_failed") return;
  const terms = attempts.move(of, [status], "refunded", "");
  post(sheet, entry, terms, "refunds", "customer");
  chargeEvent(sheet, entry, of, "refunded", "");
}

/** Sluice stops asking. An operator has to find out what the provider has taken or still holds. */
function unresolved(news: News): void {
  notForgotten(news);
  if (news.status === "unknown") owed(news, "unresolved");
  else if (news.status === "refunding") owed(news, "refund_failed");
}

/** It stays owed, as a dead letter, until an operator has it asked again. */
function owed(news: News, status: "refund_failed" | "unresolved"): void {
  const { attempts, sheet, entry, of, detail } = news;
  const { amount, currency } = attempts.move(of, [news.status], status, detail);
  const event = status === "unresolved" ? "charge_unresolved" : "refund_failed";
  chargeEvent(sheet, entry, of, event, detail);
  const { shard, atMs } = entry;
  const letter = { reason: event, ...of, amount, currency, shard, atMs, detail };
  followUp(sheet, shard, "", "payments.dead", JSON.stringify(letter));
}

/** Money that left at the provider without Sluice asking: returned there, or disputed. */
function takenBack(news: News, word: "returned" | "disputed"): void {
  const { attempts, sheet, entry, of, status, detail } = news;
  // A refund under way has arrived, from any sender.
  if (word === "returned" && status !== "captured" && status !== "disputed") {
    refunded(news);
    return;
  }
  if (status !== "captured" && !(word === "returned" && status === "disputed")) {
    if (word === "disputed") chargeEvent(sheet, entry, of, "disputed", detail);
    return;
  }
  const terms = attempts.move(of, [status], word, detail);
  const from = status === "captured" ? "revenue" : "disputes";
  const sale = status === "captured" ? sheet.takenFrom.get(`${of.user} ${of.id}`) : undefined;
  post(sheet, entry, terms, from, word === "returned" ? "customer" : "disputes", sale);
  chargeEvent(sheet, entry, of, word, detail);
}

/** `sale`: named if it changes revenue. */
export function post(
  sheet: Sheet,
  entry: Entry,
  { amount, currency }: Pick<Terms, "amount" | "currency">,
  from: string,
  to: string,
  sale = "",
): void {
  const cause = `entry ${entry.shard}-${entry.n}`;
  append(sheet.postings, POSTINGS, { cause, currency, account: from, amount: -amount, sale });
  append(sheet.postings, POSTINGS, { cause, currency, account: to, amount, sale });
}

export function chargeEvent(
  sheet: Sheet,
  entry: Entry,
  of: Attempt,
  word: OrderEvent["event"],
  detail: string,
): void {
  const { generation, attempt } = of;
  addEvent(sheet, entry, of, word, JSON.stringify({ generation, attempt, detail }));
}

function nameOf({ user, id, generation, attempt }: Attempt): string {
  return `${user}/${id}/${generation}/${attempt}`;
}
