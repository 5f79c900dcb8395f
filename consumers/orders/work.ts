// A message in a decider's hands, and what the detours (set-apart.ts, past.ts) need of the decider
// that holds it.
import { splitWords } from "../../core/domain/words.ts";
import type { Decision, ShardMessage } from "../../core/stores/shard-store.ts";
import type { Rights } from "./rights.ts";
import type { Sifted } from "./sift.ts";

/** `ack` once all it said is recorded; `dead`: a copy to the dead letters first. */
export type Disposition = "ack" | { readonly kind: "dead"; readonly reason: string };

/**
 * A message in hand, in columns; one of format 0 is in hand only if it has rows that cannot be
 * decided, and has been taken apart. `region` is where it came from; outcomes go back that way.
 */
export interface Work extends ShardMessage {
  readonly region: string;
  /** How often it had been delivered before. */
  readonly deliveries: number;
  /** When a gateway took its first order in, on Redis's clock; 0: not said. */
  readonly acceptedAtMs: number;
  /**
   * Its rows are looked at one by one before they are decided (sift.ts); undefined: it is as a
   * gateway writes it.
   */
  readonly rights?: Rights | undefined;
  readonly sifted?: Sifted;
  readonly done: (disposition: Disposition) => void;
}

/** What became of a message: a word for each of its rows, empty for one that cannot be decided. */
export interface Verdict {
  readonly words: readonly string[];
  /** The words, with commas between. */
  readonly outcomes: string;
  /** Why it goes to the dead letters. */
  readonly dead?: string | undefined;
}

/** What decide said, parsed once. */
export function verdictOf(outcomes: string): Verdict {
  return { outcomes, words: splitWords(outcomes) };
}

export interface Deciding {
  /** Decides messages in one call and has the entry recorded. undefined: stopped. */
  decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined>;
  /**
   * Settles when everything decided so far is in the ledger (true), or the decider has stopped
   * (false).
   */
  recorded(): Promise<boolean>;
  /** The states of those orders that the ledger has, by `user id`. */
  lookUp(orders: readonly OrderName[]): Promise<ReadonlyMap<string, string>>;
}

export interface OrderName {
  readonly user: string;
  readonly id: string;
}
