// Adds an entry of a shard's journal to the sheet: its messages, the orders that it decided, the
// units that they move, and their charges. Steps after the first decision are in ledger/steps.ts.

import { type Entry, isOrderStep, type OrderStep, parseOutcome } from "../core/domain/entry.ts";
import { releasedText, stepsText } from "../core/domain/entry-text.ts";
import {
  idAt,
  lineStarts,
  placedAt,
  type Rows,
  readMessage,
  rowAt,
  userAt,
} from "../core/domain/message.ts";
import { convert } from "../core/domain/money.ts";
import type { Line } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { PlacedOrder, Row } from "../core/domain/row.ts";
import type { Value } from "./db.ts";
import { bucketOf, messageId } from "./places.ts";
import { Unreadable } from "./refusals.ts";
import { type Account, addEvent, ask, followUp, type Sheet, traced } from "./sheet.ts";
import { append, appendOrder, CHARGES, ENTRIES, MESSAGES, MOVEMENTS } from "./sheet-rows.ts";

const PARKED = ["parked"] as const;

/** Units that an entry moves, by `sale sku from to`. */
type Moves = Map<string, number>;

export function addEntry(sheet: Sheet, entry: Entry, epoch: number): void {
  const { shard, n, id, prev, kind, atMs, released, steps } = entry;
  append(sheet.entries, ENTRIES, {
    ...{ shard, n, id, prev, kind, at_ms: atMs, epoch, recorded_ms: sheet.atMs },
    ...{ released: releasedText(released), steps: stepsText(steps) },
  });
  const reserving: Reserving = { sheet, entry, terms: termsOf(steps), moves: new Map() };
  entry.messages.forEach(({ gateway, batch, body, outcomes }, m) => {
    const key = messageId(shard, n) + m;
    append(sheet.messages, MESSAGES, { id: key, shard, n, gateway, batch, body, outcomes });
    addRows(reserving, key, body, outcomes);
  });
  for (const { state, ...placed } of released) release(reserving, placed, state);
  for (const step of steps) {
    sheet.fence.step(shard, step);
    if (isOrderStep(step)) addUnits(reserving.moves, step);
  }
  sheet.fence.endEntry();
  post(sheet, entry, reserving.moves);
}

/** The context in which an entry reserves orders. */
interface Reserving {
  readonly sheet: Sheet;
  readonly entry: Entry;
  readonly terms: Terms;
  readonly moves: Moves;
}

/** A parsed message. */
interface Read {
  /** The message's number in the ledger. */
  readonly message: number;
  readonly rows: Rows;
  readonly starts: readonly number[];
}

/** Throws for text that only Redis's parser accepts (0x10, NaN): such an entry is unreadable. */
function addRows(reserving: Reserving, message: number, body: string, outcomes: string): void {
  const words = outcomes.split(",");
  const rows = readMessage(body);
  if (rows.count !== words.length)
    throw new Unreadable(`${words.length} outcomes do not belong to these rows`);
  const read: Read = { message, rows, starts: lineStarts(rows) };
  for (let i = 0; i < words.length; i++) addRow(reserving, read, i, words[i] as string);
}

function addRow(reserving: Reserving, read: Read, i: number, word: string): void {
  const { sheet, entry } = reserving;
  const { rows } = read;
  const outcome = parseOutcome(word);
  switch (outcome.kind) {
    case "fresh":
      addOrder(reserving, read, i, outcome.state);
      break;
    case "skipped":
      sheet.fence.skipped(rows.sale[i] as string, userAt(rows, i), rows.seq[i] as number);
      break;
    case "conflict":
      addConflict(sheet, entry, rows, i, outcome.state);
      break;
    case "step":
      if (outcome.news) addNews(reserving, read, i, outcome.word);
      break;
    case "known":
    case "past":
    case "skip_late":
      break;
  }
}

/**
 * A cancel, a redriven order, or an answer about a charge or a part. Most of it is in the steps.
 */
function addNews(reserving: Reserving, { rows, starts }: Read, i: number, word: string): void {
  const { sheet, entry } = reserving;
  if (word === "reserved")
    reserve(reserving, placedAt(rows, i, starts), rows.generation[i] as number);
  else if (word === "late") keepLate(sheet, entry, rowAt(rows, i, starts));
}

/** Runs for every order, so it creates nothing but the table's values. */
function addOrder(reserving: Reserving, read: Read, i: number, state: OrderState): void {
  const { sheet, entry } = reserving;
  const { message, rows, starts } = read;
  const user = userAt(rows, i);
  const seq = rows.seq[i] as number;
  if (seq > 0) sheet.fence.numbered(rows.sale[i] as string, user, seq, state);
  const bucket = bucketOf(user, entry.shard);
  appendOrder(ordersIn(sheet, bucket), bucket, idAt(rows, i), user, state, message, i);
  if (state === "reserved") reserve(reserving, placedAt(rows, i, starts));
  else if (state === "rejected") {
    const letter = deadLetter(entry, rowAt(rows, i, starts));
    followUp(sheet, entry.shard, "", "orders.dead", letter);
  }
}

function ordersIn({ orders }: Sheet, bucket: number): Value[] {
  let rows = orders.get(bucket);
  if (!rows) {
    rows = [];
    orders.set(bucket, rows);
  }
  return rows;
}

function addConflict(sheet: Sheet, entry: Entry, rows: Rows, i: number, state: OrderState): void {
  const detail = JSON.stringify({ fingerprint: rows.fingerprint[i], state });
  addEvent(sheet, entry, { user: userAt(rows, i), id: idAt(rows, i) }, "conflict", detail);
}

function keepLate(sheet: Sheet, entry: Entry, row: Row): void {
  const rows = sheet.late.get(entry);
  if (rows) rows.push(row);
  else sheet.late.set(entry, [row]);
}

/** A parked order is decided. */
function release(reserving: Reserving, placed: PlacedOrder, state: OrderState): void {
  const { sheet, entry } = reserving;
  const { user, id, saleId, seq } = placed.order;
  if (seq > 0) sheet.fence.numbered(saleId, user, seq, state);
  sheet.moved.push({ state, from: PARKED, bucket: bucketOf(user, entry.shard), id, user });
  addEvent(sheet, entry, { user, id }, state);
  if (state === "reserved") reserve(reserving, placed);
}

/** By `user id`: which reserved orders wait in their lane, and at which rate each is charged. */
interface Terms {
  readonly waiting: ReadonlySet<string>;
  readonly rates: ReadonlyMap<
    string,
    { readonly id: string; readonly value: string; readonly base: string }
  >;
  /** What the items of an order cost whose items have had several prices. */
  readonly totals: ReadonlyMap<string, number>;
}

function termsOf(steps: Entry["steps"]): Terms {
  const waiting = new Set<string>();
  const rates = new Map<string, { id: string; value: string; base: string }>();
  const totals = new Map<string, number>();
  for (const step of steps) {
    if (step.what === "wait") waiting.add(`${step.user} ${step.id}`);
    else if (step.what === "rate") {
      const { rateId, value, base } = step;
      rates.set(`${step.user} ${step.id}`, { id: rateId, value, base });
    } else if (step.what === "price") {
      if (!/^\d{1,14}$/.test(step.total)) throw new Unreadable(`'${step.total}' is no total`);
      totals.set(`${step.user} ${step.id}`, Number(step.total));
    }
  }
  return { waiting, rates, totals };
}

/** Holds the units and starts the first charge, unless it waits for the user's earlier ones. */
function reserve(
  { sheet, entry, terms, moves }: Reserving,
  { order, trace = "" }: PlacedOrder,
  generation = 1,
): void {
  const { user, id, saleId, currency, lines, payment, metadata } = order;
  addMove(moves, "available", "held", saleId, lines);
  sheet.fence.reserved(entry.shard, saleId, user, lines);
  const name = `${user} ${id}`;
  const attempt = terms.waiting.has(name) ? 0 : 1;
  const total = terms.totals.get(name) ?? sheet.prices.total(saleId, lines);
  const rate = terms.rates.get(name);
  const amount = rate ? convert(total, rate.value, rate.base, currency) : total;
  const status = attempt === 0 ? "waiting" : "started";
  append(sheet.charges, CHARGES, {
    ...{ usr: user, id, generation, attempt, amount, currency, payment, metadata, status, trace },
    ...{ rate_id: rate?.id ?? "", rate: rate?.value ?? "", detail: "" },
  });
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

function addUnits(moves: Moves, { what, detail, saleId, lines }: OrderStep): void {
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
  lines: readonly Line[],
): void {
  for (const { sku, qty } of lines) {
    const key = `${saleId} ${sku} ${from} ${to}`;
    moves.set(key, (moves.get(key) ?? 0) + qty);
  }
}

/** Double entry: what an entry takes from one account it adds to another. */
function post(sheet: Sheet, entry: Entry, moves: Moves): void {
  const cause = `entry ${entry.shard}-${entry.n}`;
  for (const [key, units] of moves) {
    const [sale = "", sku = "", from, to] = key.split(" ") as [string, string, Account, Account];
    append(sheet.movements, MOVEMENTS, { cause, sale, sku, account: from, units: -units });
    append(sheet.movements, MOVEMENTS, { cause, sale, sku, account: to, units });
    const item = `${sale} ${sku}`;
    const change = sheet.stock.get(item) ?? {};
    change[from] = (change[from] ?? 0) - units;
    change[to] = (change[to] ?? 0) + units;
    sheet.stock.set(item, change);
  }
}

function deadLetter(entry: Entry, row: Row): string {
  return JSON.stringify({
    reason: "the order could not be decided",
    shard: entry.shard,
    entry: entry.n,
    row,
  });
}
