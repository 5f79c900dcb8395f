// Decodes the ledger's journal independently: rows, steps and outcome words are parsed from the
// documented formats (core/domain/fields.ts, core/domain/entry-text.ts), not with the code that
// writes or records them.
import { at } from "../../core/domain/at.ts";
import type { JournalEntry } from "../../ledger/audit.ts";
import {
  type JournalRow,
  type Line,
  lines0,
  linesOf,
  type PlacedRow,
  row0,
  rowsIn,
  rowsOf,
} from "./rows.ts";

/**
 * `fresh`: decided here. `known`, `conflict`: found an earlier decision. `skipped`: gave a number
 * up. `none`: changed nothing.
 */
export type Effect = "fresh" | "known" | "conflict" | "skipped" | "none";

export interface Decided {
  readonly row: JournalRow;
  readonly effect: Effect;
  /** '' for skips and for rows without effect. */
  readonly state: string;
  /**
   * The message's number in the ledger, its position in the entry, and the row's position in it.
   */
  readonly key: number;
  readonly message: number;
  readonly index: number;
}

export interface Let {
  readonly row: PlacedRow;
  readonly state: string;
}

/** A later step of a reserved order. */
export interface StepTaken {
  readonly what: string;
  readonly user: string;
  readonly id: string;
  readonly generation: number;
  /** 0: its charge had not started. */
  readonly attempt: number;
  readonly saleId: string;
  readonly lines: readonly Line[];
  readonly detail: string;
}

/** The rate at which an order in a currency other than its sale's was reserved. */
export interface RateTaken {
  readonly user: string;
  readonly id: string;
  readonly rateId: string;
  readonly value: string;
}

/** A gap was given up, and given-up numbers behind it: the user's next number in the sale. */
export interface Passed {
  readonly user: string;
  readonly saleId: string;
  readonly next: number;
}

export interface DecodedEntry {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
  readonly prev: string;
  readonly kind: string;
  /** Redis's clock. */
  readonly atMs: number;
  readonly epoch: number;
  /** When the ledger recorded it, by the writer's clock; 0: unknown. */
  readonly recordedMs: number;
  readonly decided: readonly Decided[];
  /** Parked orders that this entry released, in order. */
  readonly released: readonly Let[];
  readonly steps: readonly StepTaken[];
  readonly rates: readonly RateTaken[];
  readonly passed: readonly Passed[];
}

export function decodeEntry(entry: JournalEntry): DecodedEntry {
  const decided: Decided[] = [];
  entry.messages.forEach(({ key, body, outcomes }, message) => {
    const rows = rowsIn(body);
    const words = outcomes.split(",");
    if (rows.length !== words.length)
      throw new Error(
        `entry ${entry.shard}-${entry.n}: ${rows.length} rows, ${words.length} outcomes`,
      );
    rows.forEach((row, index) => {
      const [effect, state] = effectOf(words[index] as string);
      decided.push({ row, effect, state, key, message, index });
    });
  });
  const released = listIn(entry.released).map(letOf);
  const all = listIn(entry.steps).map(stepOf);
  const rates = all.filter(({ what }) => what === "rate") as unknown as RateTaken[];
  const passed = all.filter(({ what }) => what === "passed") as unknown as Passed[];
  const steps = all.filter(({ what }) => !NO_ORDER_STEPS.has(what));
  const { shard, n, id, prev, kind, atMs, epoch, recordedMs } = entry;
  const place = { shard, n, id, prev, kind, atMs, epoch, recordedMs };
  return { ...place, decided, released, steps, rates, passed };
}

function listIn(text: string): readonly unknown[] {
  return JSON.parse(text) as unknown[];
}

/** `{gateway, state, orders}`, or in format 0 `[gateway, row, state]`. */
function letOf(value: unknown): Let {
  if (Array.isArray(value)) {
    const [, row, state] = value as [string, unknown[], string];
    return { row: row0(row), state };
  }
  const { state, orders } = value as { readonly state: string; readonly orders: unknown };
  return { row: at(rowsOf(orders), 0) as PlacedRow, state };
}

/** Steps that are no steps of an order's life. */
const NO_ORDER_STEPS: ReadonlySet<string> = new Set([
  ...["wait", "rate", "rate_wait", "passed", "price"],
]);

function stepOf(value: unknown): StepTaken {
  if (Array.isArray(value)) return step0(value);
  const { sku = [], qty = [], ...step } = value as Record<"sku" | "qty", readonly unknown[]>;
  return { ...step, lines: linesOf(sku, qty) } as unknown as StepTaken;
}

function step0(step: readonly unknown[]): StepTaken {
  const [what, user, id, third, fourth] = step;
  if (what === "passed")
    return { what, user, saleId: id, next: Number(third) } as unknown as StepTaken;
  if (NO_ORDER_STEPS.has(what as string))
    return { what, user, id, rateId: third, value: fourth } as unknown as StepTaken;
  const [, , , generation, attempt, , saleId, flat, detail] = step;
  const lines = lines0(flat as readonly unknown[]);
  return { what, user, id, generation, attempt, saleId, lines, detail } as StepTaken;
}

function effectOf(word: string): [Effect, string] {
  if (word === "past" || word === "skip_late") return ["none", ""];
  // A cancel or a charge's answer: the steps show its effect.
  if (word.startsWith("+") || word.startsWith("-")) return ["none", ""];
  if (word === "skipped") return ["skipped", ""];
  if (word.startsWith("=")) return ["known", word.slice(1)];
  if (word.startsWith("!")) return ["conflict", word.slice(1)];
  return ["fresh", word];
}
