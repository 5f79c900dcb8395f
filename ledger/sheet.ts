// What a transaction writes, gathered from its entries: rows for each table, written with one
// statement per 500 rows.

import type { PaymentRequest } from "../core/domain/charge.ts";
import { type Entry, isOrderStep, type OrderStep, parseOutcome } from "../core/domain/entry.ts";
import { convert } from "../core/domain/money.ts";
import { type OrderRow, type RedriveRow, redrivenOrder } from "../core/domain/order.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import type { Value } from "./db.ts";
import { Fence } from "./fence.ts";
import { bucketOf, messageId } from "./places.ts";
import type { Prices } from "./prices.ts";
import { Unreadable } from "./refusals.ts";

export { Contradiction, Unreadable } from "./refusals.ts";

export type Account = "available" | "held" | "sold";

/** A change of an order's state, from one of those in which it can be. */
export interface Move {
  readonly state: string;
  readonly from: readonly string[];
  readonly bucket: number;
  readonly id: string;
  readonly user: string;
}

export interface Sheet {
  /** When this is recorded, Unix ms. */
  readonly atMs: number;
  readonly prices: Prices;
  readonly fence: Fence;
  readonly entries: Value[];
  readonly messages: Value[];
  readonly orders: Value[];
  readonly charges: Value[];
  readonly events: Value[];
  readonly movements: Value[];
  readonly postings: Value[];
  readonly followUps: Value[];
  readonly parts: Value[];
  /** Steps that change a part: applied after the parts are there. */
  readonly partSteps: OrderStep[];
  /** `region category` → service; read when the first order of the transaction is paid. */
  routes?: ReadonlyMap<string, string>;
  /** What is asked of payment workers and services, by `shard exchange routing-key`: JSON texts. */
  readonly requests: Map<string, string[]>;
  /** Orders whose state changes. */
  readonly moved: Move[];
  /** Units by which an item's accounts change, by `sale sku`. */
  readonly stock: Map<string, Partial<Record<Account, number>>>;
}

export function emptySheet(prices: Prices, atMs: number): Sheet {
  const rows = {
    entries: [],
    messages: [],
    orders: [],
    charges: [],
    events: [],
    movements: [],
    postings: [],
    followUps: [],
    parts: [],
    partSteps: [],
  };
  return {
    prices,
    atMs,
    fence: new Fence(prices),
    ...rows,
    requests: new Map(),
    moved: [],
    stock: new Map(),
  };
}

/**
 * Requests in one message, and so in one follow-up: one by one they cost the broker 160 µs of CPU
 * each, and the worker half of that.
 */
const REQUESTS_PER_MESSAGE = 20;

/** Asks the payment workers for a charge or a refund. */
export function ask(sheet: Sheet, shard: number, queue: string, request: PaymentRequest): void {
  send(sheet, shard, "", queue, request);
}

/** Puts something into one of the messages that follow from the transaction. */
export function send(
  sheet: Sheet,
  shard: number,
  exchange: string,
  routingKey: string,
  request: object,
): void {
  const key = `${shard} ${exchange} ${routingKey}`;
  const list = sheet.requests.get(key);
  if (list) list.push(JSON.stringify(request));
  else sheet.requests.set(key, [JSON.stringify(request)]);
}

/** Makes follow-ups of what was asked. */
export function addRequests(sheet: Sheet): void {
  for (const [key, requests] of sheet.requests) {
    const [shard = "", exchange = "", routingKey = ""] = key.split(" ");
    for (let from = 0; from < requests.length; from += REQUESTS_PER_MESSAGE) {
      const part = requests.slice(from, from + REQUESTS_PER_MESSAGE);
      followUp(sheet, Number(shard), exchange, routingKey, `[${part.join(",")}]`);
    }
  }
}

/** A message to be published once the entry is recorded; `dueMs`: not before (Redis's clock). */
export function followUp(
  sheet: Sheet,
  shard: number,
  exchange: string,
  routingKey: string,
  body: string,
  dueMs = 0,
): void {
  sheet.followUps.push(shard, exchange, routingKey, body, 0, dueMs);
}

export const FOLLOW_UPS = ["shard", "exchange", "routing_key", "body", "done", "due_ms"];

const PARKED = ["parked"];

/** Units an entry moves, by `sale sku from to`. */
type Moves = Map<string, number>;

export function addEntry(sheet: Sheet, entry: Entry, epoch: number): void {
  const { shard, n } = entry;
  const { released, steps } = entry;
  sheet.entries.push(
    shard,
    n,
    entry.id,
    entry.prev,
    entry.kind,
    entry.atMs,
    epoch,
    JSON.stringify(released),
    JSON.stringify(steps),
    sheet.atMs,
  );
  const terms = termsOf(steps);
  const moves: Moves = new Map();
  for (let m = 0; m < entry.messages.length; m++) {
    const message = entry.messages[m] as Entry["messages"][number];
    const id = messageId(shard, n) + m;
    sheet.messages.push(
      id,
      shard,
      n,
      message.gateway,
      message.batch,
      message.body,
      message.outcomes,
    );
    addRows(sheet, entry, id, message, moves, terms);
  }
  for (const [, row, state] of released) {
    const [, user, id, , , saleId, seq] = row;
    if (seq > 0) sheet.fence.numbered(saleId, user, seq, state);
    sheet.moved.push({ state, from: PARKED, bucket: bucketOf(user, shard), id, user });
    sheet.events.push(user, id, entry.atMs, state, "", shard, n);
    if (state === "reserved") reserve(sheet, entry, row, moves, terms);
  }
  for (const step of steps) {
    sheet.fence.step(shard, step);
    if (isOrderStep(step)) addUnits(moves, step[0], step[8], step[6], step[7]);
  }
  sheet.fence.endEntry();
  post(sheet, entry, moves);
}

function addRows(
  sheet: Sheet,
  entry: Entry,
  messageId: number,
  message: Entry["messages"][number],
  moves: Moves,
  terms: Terms,
): void {
  const words = message.outcomes.split(",");
  const rows = rowsOf(message.body, words.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as OrderRow;
    const outcome = parseOutcome(words[i] as string);
    if (outcome.kind === "fresh") {
      if (row[6] > 0) sheet.fence.numbered(row[5], row[1], row[6], outcome.state);
      sheet.orders.push(bucketOf(row[1], entry.shard), row[2], row[1], outcome.state, messageId, i);
      if (outcome.state === "reserved") reserve(sheet, entry, row, moves, terms);
      if (outcome.state === "rejected")
        followUp(sheet, entry.shard, "", "orders.dead", deadLetter(entry, row));
    } else if (outcome.kind === "skipped") {
      sheet.fence.skipped(row[5], row[1], row[6]);
    } else if (outcome.kind === "step" && outcome.news && outcome.word === "reserved") {
      const again = rows[i] as RedriveRow;
      reserve(sheet, entry, redrivenOrder(again), moves, terms, again[12]);
    } else if (outcome.kind === "conflict") {
      const detail = JSON.stringify({ fingerprint: row[3], state: outcome.state });
      sheet.events.push(row[1], row[2], entry.atMs, "conflict", detail, entry.shard, entry.n);
    }
  }
}

/**
 * Redis's parser takes texts that this one does not (0x10, NaN): such an entry is no sound one,
 * though Redis wrote it.
 */
export function rowsOf(body: string, count: number): readonly unknown[] {
  let rows: unknown;
  try {
    rows = JSON.parse(body);
  } catch (error) {
    throw new Unreadable((error as Error).message);
  }
  if (!Array.isArray(rows) || rows.length !== count)
    throw new Unreadable(`${count} outcomes do not belong to these rows`);
  return rows;
}

/** The rows of an entry that were answered with exactly this word. */
export function rowsAnswered(entry: Entry, word: string): unknown[] {
  const found: unknown[] = [];
  for (const { body, outcomes } of entry.messages) {
    // The search only saves the splitting: most messages have no such word.
    if (!outcomes.includes(word)) continue;
    const words = outcomes.split(",");
    rowsOf(body, words.length).forEach((row, i) => {
      if (words[i] === word) found.push(row);
    });
  }
  return found;
}

/**
 * How the orders an entry reserves come to be charged: which wait in their lane, and at which rate,
 * by `user id`.
 */
interface Terms {
  readonly waiting: ReadonlySet<string>;
  readonly rates: ReadonlyMap<
    string,
    { readonly id: string; readonly value: string; readonly base: string }
  >;
}

function termsOf(steps: Entry["steps"]): Terms {
  const waiting = new Set<string>();
  const rates = new Map<string, { id: string; value: string; base: string }>();
  for (const step of steps) {
    if (step[0] === "wait") waiting.add(`${step[1]} ${step[2]}`);
    else if (step[0] === "rate")
      rates.set(`${step[1]} ${step[2]}`, { id: step[3], value: step[4], base: step[5] });
  }
  return { waiting, rates };
}

/**
 * Units are held, and the first charge is under way, unless it waits for the user's earlier ones.
 */
function reserve(
  sheet: Sheet,
  entry: Entry,
  row: OrderRow,
  moves: Moves,
  { waiting, rates }: Terms,
  generation = 1,
): void {
  const [, user, id, , , saleId, , currency, lines, payment, metadata, , trace] = row;
  addMove(moves, "available", "held", saleId, lines);
  sheet.fence.reserved(entry.shard, saleId, user, lines);
  const attempt = waiting.has(`${user} ${id}`) ? 0 : 1;
  const total = sheet.prices.total(saleId, lines);
  const rate = rates.get(`${user} ${id}`);
  const amount = rate ? convert(total, rate.value, rate.base, currency) : total;
  sheet.charges.push(
    user,
    id,
    generation,
    attempt,
    amount,
    currency,
    payment,
    attempt === 0 ? "waiting" : "started",
    "",
    metadata,
  );
  sheet.charges.push(rate?.id ?? "", rate?.value ?? "", trace ?? "");
  if (attempt === 0) return;
  ask(sheet, entry.shard, "payments", {
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

/** A request says of which trace it is only if it is of one. */
export function traced(trace: Traceparent | undefined): { traceparent?: Traceparent } {
  return trace ? { traceparent: trace } : {};
}

function addUnits(
  moves: Moves,
  what: string,
  detail: string,
  saleId: string,
  lines: readonly (string | number)[],
): void {
  if (what === "paid") addMove(moves, "held", "sold", saleId, lines);
  else if (what === "payment_failed" || what === "expired")
    addMove(moves, "held", "available", saleId, lines);
  else if (what === "cancelled") addMove(moves, detail as Account, "available", saleId, lines);
}

function addMove(
  moves: Moves,
  from: Account,
  to: Account,
  saleId: string,
  lines: readonly (string | number)[],
): void {
  for (let i = 0; i < lines.length; i += 2) {
    const key = `${saleId} ${lines[i]} ${from} ${to}`;
    moves.set(key, (moves.get(key) ?? 0) + (lines[i + 1] as number));
  }
}

/** Double entry: what an entry takes from one account it gives to another. */
function post(sheet: Sheet, entry: Entry, moves: Moves): void {
  const cause = `entry ${entry.shard}-${entry.n}`;
  for (const [key, units] of moves) {
    const [sale = "", sku = "", from, to] = key.split(" ") as [string, string, Account, Account];
    sheet.movements.push(cause, sale, sku, from, -units, cause, sale, sku, to, units);
    const item = `${sale} ${sku}`;
    const change = sheet.stock.get(item) ?? {};
    change[from] = (change[from] ?? 0) - units;
    change[to] = (change[to] ?? 0) + units;
    sheet.stock.set(item, change);
  }
}

function deadLetter(entry: Entry, row: OrderRow): string {
  return JSON.stringify({
    reason: "the order could not be decided",
    shard: entry.shard,
    entry: entry.n,
    row,
  });
}
