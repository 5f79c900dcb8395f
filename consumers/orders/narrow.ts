// Decides rows of several messages in one call. If Redis rejects them, which it should not do to
// sifted rows, finds the row at fault by halves: about 18 calls for one in 500. An order is then
// recorded as rejected. For anything else, or if that fails too, the message becomes a dead letter.
import { messageText } from "../../core/domain/message.ts";
import { partRow } from "../../core/domain/row.ts";
import { splitWords } from "../../core/domain/words.ts";
import { BadRow, StoreUnavailable } from "../../core/stores/redis.ts";
import { type RowInPlace, rejectable, textOf } from "./sift.ts";
import type { Deciding, Work } from "./work.ts";

/** Some rows of the message at index `at` of the batch. */
export interface Part {
  readonly at: number;
  readonly gateway: string;
  readonly batch: string;
  readonly body: string;
  /** The rows of the body, each with its index in the message. */
  readonly rows: readonly RowInPlace[];
}

/** A row, with its index and its message's index in the batch. */
export interface RowInBatch extends RowInPlace {
  readonly message: number;
}

/** Groups rows of a batch by message, in the order of the messages. */
export function partsOf(batch: readonly Work[], rows: readonly RowInBatch[]): Part[] {
  return batch.flatMap(({ gateway, batch: number }, at) => {
    const own = rows.filter(({ message }) => message === at);
    if (own.length === 0) return [];
    return [{ at, gateway, batch: number, body: textOf(own), rows: own }];
  });
}

type Put = (at: number, row: number, word: string) => void;

/** Calls for a batch. Beyond this, each remaining message is decided whole or not at all. */
const MAX_CALLS = 64;

/** Names an order that cannot exist. It changes nothing, and shows whether Redis decides at all. */
const NO_ORDER = "00000000-0000-7000-8000-000000000000";
const NO_PART = { user: "nobody", id: NO_ORDER, generation: 1, part: 1, of: 1 };
const PROBE = messageText([partRow(NO_PART, "done", "nobody", 0)]);

export class Narrowing {
  /** Why messages of the batch become dead letters, by index. */
  readonly faults = new Map<number, string>();
  private calls = 0;

  constructor(private readonly decider: Deciding) {}

  /** Decides the parts in order and puts each word in its place. False: the decider has stopped. */
  async decide(parts: readonly Part[], put: Put, force?: "rejected" | "stale"): Promise<boolean> {
    if (parts.length === 0) return true;
    this.calls++;
    try {
      const decision = await this.decider.decideOnce(parts, force);
      if (!decision) return false;
      parts.forEach(({ at, rows }, i) => {
        const words = splitWords(decision.outcomes[i] as string);
        rows.forEach((row, r) => {
          put(at, row.at, words[r] as string);
        });
      });
      return true;
    } catch (error) {
      if (error instanceof StoreUnavailable) throw error;
      return this.narrow(parts, put, force, error as Error);
    }
  }

  private async narrow(
    parts: readonly Part[],
    put: Put,
    force: "rejected" | "stale" | undefined,
    error: Error,
  ): Promise<boolean> {
    const [first] = parts as [Part, ...Part[]];
    if (parts.length === 1 && (first.rows.length === 1 || this.calls >= MAX_CALLS))
      return this.atFault(first, put, force, error);
    for (const some of parts.length > 1 ? piecesOf(parts, error) : halves(first, error))
      if (!(await this.decide(some, put, force))) return false;
    return true;
  }

  /** Blames the remaining rows, unless Redis decides nothing at all. The owner deals with that. */
  private async atFault(
    part: Part,
    put: Put,
    force: "rejected" | "stale" | undefined,
    error: Error,
  ): Promise<boolean> {
    if (!(error instanceof BadRow) && !(await this.answers(error))) return false;
    const [first, ...others] = part.rows;
    if (first?.row.kind === "order" && others.length === 0 && force === undefined)
      return this.decide(
        [partWith(part, [{ at: first.at, row: rejectable(first.row) }])],
        put,
        "rejected",
      );
    this.faults.set(part.at, `rejected by Redis: ${error.message}`);
    return true;
  }

  /** Throws `error` if Redis does not even decide something known to be sound. */
  private async answers(error: Error): Promise<boolean> {
    try {
      return (
        (await this.decider.decideOnce([{ gateway: "", batch: "", body: PROBE }])) !== undefined
      );
    } catch {
      throw error;
    }
  }
}

/** Splits around the message that Redis named, or in halves. */
function piecesOf(parts: readonly Part[], error: Error): Part[][] {
  const named = error instanceof BadRow ? error.index : -1;
  if (named >= 0 && named < parts.length)
    return [parts.slice(0, named), parts.slice(named, named + 1), parts.slice(named + 1)];
  const middle = parts.length >> 1;
  return [parts.slice(0, middle), parts.slice(middle)];
}

/** Splits around the row that Redis named, or in halves. */
function halves(part: Part, error: Error): Part[][] {
  const { rows } = part;
  const named = error instanceof BadRow ? error.row : -1;
  const cuts = named >= 0 && named < rows.length ? [named, named + 1] : [rows.length >> 1];
  const pieces: Part[][] = [];
  for (const [i, from] of [0, ...cuts].entries()) {
    const to = cuts[i] ?? rows.length;
    if (to <= from) continue;
    pieces.push([partWith(part, rows.slice(from, to))]);
  }
  return pieces;
}

function partWith(part: Part, rows: readonly RowInPlace[]): Part {
  return { ...part, body: textOf(rows), rows };
}
