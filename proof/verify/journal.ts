// Decodes the ledger's journal independently: rows and outcome words are parsed from the documented
// format (core/domain/order.ts, core/domain/entry.ts), not with the code that writes or records
// them.
import type { JournalEntry } from "../../ledger/audit.ts";

export type OrderRowText = readonly [
  kind: string,
  user: string,
  id: string,
  fingerprint: string,
  acceptedAtMs: number,
  saleId: string,
  seq: number,
  currency: string,
  lines: readonly (string | number)[],
  payment: string,
  metadata: string,
  maxTotal: number,
];

/**
 * `fresh`: decided here. `known`, `conflict`: found an earlier decision. `skipped`: gave a number
 * up. `none`: changed nothing.
 */
export type Effect = "fresh" | "known" | "conflict" | "skipped" | "none";

export interface Decided {
  readonly row: OrderRowText;
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
  readonly row: OrderRowText;
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
  readonly lines: readonly (string | number)[];
  readonly detail: string;
}

/** The rate at which an order in a currency other than its sale's was reserved. */
export interface RateTaken {
  readonly user: string;
  readonly id: string;
  readonly rateId: string;
  readonly value: string;
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
}

export function decodeEntry(entry: JournalEntry): DecodedEntry {
  const decided: Decided[] = [];
  entry.messages.forEach(({ key, body, outcomes }, message) => {
    const rows = JSON.parse(body) as OrderRowText[];
    const words = outcomes.split(",");
    if (rows.length !== words.length)
      throw new Error(
        `entry ${entry.shard}-${entry.n}: ${rows.length} rows, ${words.length} outcomes`,
      );
    for (let index = 0; index < rows.length; index++) {
      const [effect, state] = effectOf(words[index] as string);
      decided.push({ row: rows[index] as OrderRowText, effect, state, key, message, index });
    }
  });
  const released = (JSON.parse(entry.released) as [string, OrderRowText, string][]).map(
    ([, row, state]) => ({ row, state }),
  );
  const all = JSON.parse(entry.steps) as never[][];
  const rates = all
    .filter(([what]) => what === "rate")
    .map(([, user, order, rateId, value]) => ({
      user,
      id: order,
      rateId,
      value,
    })) as never as RateTaken[];
  const steps = all
    .filter(([what]) => !["wait", "rate", "rate_wait", "passed"].includes(what as never))
    .map(([what, user, orderId, generation, attempt, , saleId, lines, detail]) => ({
      what,
      user,
      id: orderId,
      generation,
      attempt,
      saleId,
      lines,
      detail,
    })) as unknown as StepTaken[];
  const { shard, n, id, prev, kind, atMs, epoch, recordedMs } = entry;
  return { shard, n, id, prev, kind, atMs, epoch, recordedMs, decided, released, steps, rates };
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
