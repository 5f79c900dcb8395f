// Turns a shard's journal into the actions of docs/protocol/journal.qnt, and asks whether the
// protocol allows it. Only orders, skips and answers to charges are in the specification; a journal
// with anything else is refused by name, not ignored.
import { isOrderStep, type Step } from "../../core/domain/entry.ts";
import { readReleased, readSteps } from "../../core/domain/entry-text.ts";
import { allRows, readMessage } from "../../core/domain/message.ts";
import type { Row } from "../../core/domain/row.ts";
import type { JournalEntry } from "../../ledger/audit.ts";
import type { Spec } from "./spec.ts";
import { fieldOf, QuintSet, type Value } from "./values.ts";

export const JOURNAL_NAMES = ["newStore", "acceptEntry", "replayAgrees"];

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

export function recordedOf(entry: JournalEntry, numbers: EntryNumbers): Value {
  const { n, epoch, kind, messages } = entry;
  const rows = messages.flatMap(({ body }) => allRows(readMessage(body)));
  const words = messages.flatMap(({ outcomes }) => outcomes.split(","));
  const released = readReleased(entry.released);
  const steps = readSteps(entry.steps);
  return {
    id: numbers.of(entry.id),
    prev: numbers.of(entry.prev),
    ...{ n, epoch, kind },
    rows: rows.map(rowOf),
    words: words.map(wordOf),
    users: [...new Set(released.map(({ order }) => order.user))],
    released: released.map(({ order, state }) => ({
      word: state,
      order: nameOf(order.user, order.id),
      attempt: 0,
    })),
    steps: steps.flatMap(stepOf),
    waits: QuintSet.of(
      steps.flatMap((step) => (step.what === "wait" ? [nameOf(step.user, step.id)] : [])),
    ),
  };
}

function nameOf(user: string, id: string): string {
  return `${user} ${id}`;
}

function rowOf(row: Row): Value {
  const none = { order: "", seq: 0, qty: 0, answer: "", attempt: 0 };
  switch (row.kind) {
    case "order": {
      const { user, id, seq, lines } = row.order;
      const [line, another] = lines;
      if (!line || another) throw new OutsideTheSpecification("an order of several items");
      return { ...none, kind: "order", order: nameOf(user, id), user, seq, qty: line.qty };
    }
    case "skip":
      return { ...none, kind: "skip", user: row.user, seq: row.seq };
    case "answer": {
      const { user, id, attempt, answer } = row;
      return { ...none, kind: "answer", order: nameOf(user, id), user, answer, attempt };
    }
    default:
      throw new OutsideTheSpecification(`a row of kind ${row.kind}`);
  }
}

/** An outcome as the specification has it: known for all that were decided before. */
function wordOf(word: string): Value {
  if (word.startsWith("=")) return "known";
  const plain = word.startsWith("+") ? word.slice(1) : word;
  if (!WORDS.has(plain)) throw new OutsideTheSpecification(`the outcome ${word}`);
  return plain;
}

const WORDS: ReadonlySet<string> = new Set([
  ...["reserved", "sold_out", "parked", "superseded", "skipped", "skip_late"],
  ...["paid", "retry", "payment_failed", "late"],
]);
const STEPS: ReadonlySet<string> = new Set(["start", "paid", "payment_failed", "charge_failed"]);

function stepOf(step: Step): Value[] {
  if (step.what === "wait" || step.what === "passed") return [];
  if (!isOrderStep(step) || !STEPS.has(step.what))
    throw new OutsideTheSpecification(`the step ${step.what}`);
  const { what: word, user, id, attempt } = step;
  return [{ word, order: nameOf(user, id), attempt }];
}

export interface Judged {
  readonly entries: number;
  /** Why the entry after these is not allowed; undefined if all are. */
  readonly flaw: string | undefined;
}

/** `units`: what the only item had at first. */
export function judgeJournal(
  { call }: Spec,
  entries: readonly JournalEntry[],
  units: number,
): Judged {
  const numbers = new EntryNumbers();
  let check = call.newStore?.(units) as Value;
  for (const [i, entry] of entries.entries()) {
    check = call.acceptEntry?.(check, recordedOf(entry, numbers)) as Value;
    const flaw = fieldOf(check, "flaw");
    if (flaw !== "") return { entries: i, flaw: `entry ${entry.n}: ${String(flaw)}` };
  }
  if (call.replayAgrees?.(check) !== true)
    return { entries: entries.length, flaw: "its replay differs from what was decided" };
  return { entries: entries.length, flaw: undefined };
}
