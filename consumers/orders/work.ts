// A message that a decider works on, and the part of the decider that the detours (set-apart.ts,
// past.ts) use.
import { splitWords } from "../../core/domain/words.ts";
import type { Decision, ShardMessage } from "../../core/stores/shard-store.ts";
import type { Rights } from "./rights.ts";
import type { Sifted } from "./sift.ts";

/** `ack`: everything in it is recorded. `dead`: a copy goes to the dead letters first. */
export type Disposition = "ack" | { readonly kind: "dead"; readonly reason: string };

/**
 * A message in flight. It is in columns, unless it came in format 0 with unsound rows; then it has
 * been sifted. Outcomes go back through `region`, where it came from.
 */
export interface Work extends ShardMessage {
  readonly region: string;
  /** How many times it was delivered before. */
  readonly deliveries: number;
  /** When a gateway accepted its first order, on Redis's clock; 0 if unknown. */
  readonly acceptedAtMs: number;
  /** What its publisher may send, checked row by row (sift.ts). undefined: no check is needed. */
  readonly rights?: Rights | undefined;
  readonly sifted?: Sifted;
  readonly done: (disposition: Disposition) => void;
}

/** The result for a message: a word per row, empty for a row that cannot be decided. */
export interface Verdict {
  readonly words: readonly string[];
  /** The words, separated by commas. */
  readonly outcomes: string;
  /** Why it becomes a dead letter. */
  readonly dead?: string | undefined;
}

/** A message's outcomes, parsed once. */
export function verdictOf(outcomes: string): Verdict {
  return { outcomes, words: splitWords(outcomes) };
}

export interface Deciding {
  /** Decides messages in one call and hands the entry to the recorder. undefined: stopped. */
  decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined>;
  /** Resolves once everything decided so far is recorded. False: the decider has stopped. */
  recorded(): Promise<boolean>;
  /** The states of the orders that the ledger has, by `user id`. */
  lookUp(orders: readonly OrderName[]): Promise<ReadonlyMap<string, string>>;
}

export interface OrderName {
  readonly user: string;
  readonly id: string;
}
