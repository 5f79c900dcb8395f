// Translates an entry of the ledger's journal into the terms of docs/protocol/journal.qnt. It
// decides nothing: an entry with something that the specification does not have is refused by name.
import { isOrderStep, type Released, type Step } from "../../core/domain/entry.ts";
import { readReleased, readSteps } from "../../core/domain/entry-text.ts";
import { allRows, readMessage } from "../../core/domain/message.ts";
import type { PlacedOrder, Row } from "../../core/domain/row.ts";
import type { JournalEntry } from "../../ledger/audit.ts";
import { QuintMap, QuintSet, type Value } from "./values.ts";

export class OutsideTheSpecification extends Error {}

/** Ids of entries as numbers, in the order in which they appear. */
export class EntryNumbers {
  private readonly numbers = new Map([["genesis", 0]]);

  of(id: string): number {
    const known = this.numbers.get(id);
    if (known !== undefined) return known;
    this.numbers.set(id, this.numbers.size);
    return this.numbers.size - 1;
  }
}

/** What an entry says, read once. */
interface Read {
  readonly rows: readonly Row[];
  readonly words: readonly string[];
  readonly released: readonly Released[];
  readonly steps: readonly Step[];
}

export interface Recorded {
  readonly value: Value;
  /** Units that its orders took, by item. */
  readonly took: ReadonlyMap<string, number>;
}

export function recordedOf(entry: JournalEntry, numbers: EntryNumbers): Recorded {
  const read = readEntry(entry);
  const { rows, words, released, steps } = read;
  const { n, epoch, kind } = entry;
  if (!KINDS.has(kind)) throw new OutsideTheSpecification(`an entry of kind ${kind}`);
  const value = {
    id: numbers.of(entry.id),
    prev: numbers.of(entry.prev),
    ...{ n, epoch, kind },
    conflict: words.some((word) => word.startsWith("!")),
    rows: rows.map(toldOf),
    outcomes: words.map(outcomeOf),
    wishes: QuintMap.of(placedIn(read).map((placed) => [orderOf(placed.order), wishOf(placed)])),
    given: QuintMap.of(givenIn(read)),
    users: usersIn(read),
    freed: kind === "decide" || kind === "unpark" ? [] : freedIn(read),
    released: released.map(({ order, state }) => ({
      word: state,
      order: orderOf(order),
      attempt: 0,
    })),
    steps: steps.flatMap(stepOf),
    waits: QuintSet.of(steps.flatMap((step) => (step.what === "wait" ? [orderOf(step)] : []))),
  };
  return { value, took: tookIn(read) };
}

const KINDS: ReadonlySet<string> = new Set(["decide", "unpark", "reprice", "expire"]);

function readEntry({ messages, released, steps }: JournalEntry): Read {
  return {
    rows: messages.flatMap(({ body }) => allRows(readMessage(body))),
    words: messages.flatMap(({ outcomes }) => outcomes.split(",")),
    released: readReleased(released),
    steps: readSteps(steps),
  };
}

function orderOf({ user, id }: { readonly user: string; readonly id: string }): string {
  return `${user} ${id}`;
}

const NO_ROW = { order: "", seq: 0, qty: 0, answer: "", attempt: 0 };

/** Units are counted item by item, so the order itself asks for none. */
function placedRow({ order }: PlacedOrder): Value {
  return { ...NO_ROW, kind: "order", order: orderOf(order), user: order.user, seq: order.seq };
}

function toldOf(row: Row): Value {
  const none = { at: row.atMs, part: 0, parts: 0, report: "", service: "" };
  switch (row.kind) {
    case "order":
      return { ...none, row: placedRow(row) };
    case "skip":
      return { ...none, row: { ...NO_ROW, kind: "skip", user: row.user, seq: row.seq } };
    case "cancel":
      return { ...none, row: { ...NO_ROW, kind: "cancel", order: orderOf(row), user: row.user } };
    case "answer": {
      const { user, attempt, answer } = row;
      firstGeneration(row.generation);
      return {
        ...none,
        row: { ...NO_ROW, kind: "answer", order: orderOf(row), user, answer, attempt },
      };
    }
    case "part": {
      const { user, part, of: parts, report, service } = row;
      firstGeneration(row.generation);
      const named = { ...NO_ROW, kind: "part", order: orderOf(row), user };
      return { ...none, row: named, part, parts, report, service };
    }
    case "redrive":
      throw new OutsideTheSpecification("an order that was redriven");
  }
}

function firstGeneration(generation: number): void {
  if (generation !== 1) throw new OutsideTheSpecification("an order that was redriven");
}

/** See core/domain/entry.ts, parseOutcome. */
function outcomeOf(word: string): Value {
  if (word === "past") throw new OutsideTheSpecification("a row older than Redis's records");
  if (word.startsWith("=") || word.startsWith("!")) return { via: "known", word: word.slice(1) };
  if (word.startsWith("-")) return { via: "no", word: word.slice(1) };
  return { via: "news", word: word.startsWith("+") ? word.slice(1) : word };
}

/** Orders of which the entry has the first outcome, or the one after they were parked. */
function placedIn({ rows, words, released }: Read): PlacedOrder[] {
  const first = rows.flatMap((row, i) =>
    row.kind === "order" && !/^[=!]/.test(words[i] as string) ? [row] : [],
  );
  return [...first, ...released];
}

function wishOf({ order, atMs }: PlacedOrder): Value {
  const lines = order.lines.map(({ sku, qty }) => ({ item: `${order.saleId} ${sku}`, qty }));
  return { user: order.user, sale: order.saleId, at: atMs, lines };
}

/** Outcomes that rest on a sale's terms or its units, which docs/protocol/units.qnt judges. */
const BY_TERMS: ReadonlySet<string> = new Set([
  ...["reserved", "sold_out", "over_limit", "unknown_item", "sale_closed"],
  ...["over_max_total", "fx_unavailable"],
]);

/** Orders decided in this entry, with their outcomes. */
function decidedIn({ rows, words, released }: Read): (readonly [PlacedOrder, string])[] {
  const fresh = rows.flatMap((row, i) =>
    row.kind === "order" ? [[row, words[i] as string] as const] : [],
  );
  return [...fresh, ...released.map((order) => [order, order.state] as const)];
}

function givenIn(read: Read): [Value, Value][] {
  const given = decidedIn(read).filter(([, word]) => BY_TERMS.has(word));
  const waits = read.steps.flatMap((step): [Value, Value][] =>
    step.what === "rate_wait" ? [[orderOf(step), "rate_wait"]] : [],
  );
  return [...given.map(([{ order }, word]): [Value, Value] => [orderOf(order), word]), ...waits];
}

function tookIn(read: Read): Map<string, number> {
  const took = new Map<string, number>();
  for (const [{ order }, word] of decidedIn(read))
    if (word === "reserved")
      for (const { sku, qty } of order.lines) {
        const item = `${order.saleId} ${sku}`;
        took.set(item, (took.get(item) ?? 0) + qty);
      }
  return took;
}

/** Users whose gap was given up: something was released, or the entry says how far it went. */
function usersIn({ released, steps }: Read): string[] {
  const passed = steps.flatMap((step) => (step.what === "passed" ? [step.user] : []));
  return [...new Set([...released.map(({ order }) => order.user), ...passed])];
}

/** Orders that the entry reprices or expires. */
function freedIn({ released, steps }: Read): Value[] {
  const expired = steps.flatMap((step): Value[] =>
    step.what === "expired"
      ? [{ ...NO_ROW, kind: "order", order: orderOf(step), user: step.user }]
      : [],
  );
  return [...released.map(placedRow), ...expired];
}

const SAID_ELSEWHERE: ReadonlySet<string> = new Set([
  ...["wait", "passed", "rate", "rate_wait", "price"],
]);

function stepOf(step: Step): Value[] {
  if (SAID_ELSEWHERE.has(step.what) || !isOrderStep(step)) return [];
  firstGeneration(step.generation);
  if (step.what === "redriven") throw new OutsideTheSpecification("an order that was redriven");
  return [{ word: step.what, order: orderOf(step), attempt: step.attempt }];
}
