// A message in a decider's hands, and what the detours (poison.ts, past.ts) need of the decider that holds it.
import type { Decision, ShardMessage } from "../core/shard-store.ts";

/** `ack` once all it said is recorded; `dead`: a copy to the dead letters first. */
export type Disposition = "ack" | { readonly kind: "dead"; readonly reason: string };

/** A message in hand. `region` is where it came from; outcomes go back that way. */
export interface Work extends ShardMessage {
  readonly region: string;
  /** How often it had been delivered before. */
  readonly deliveries: number;
  /** When a gateway took its first order in, on Redis's clock; 0: not said. */
  readonly acceptedAtMs: number;
  readonly done: (disposition: Disposition) => void;
}

export interface Deciding {
  /** Decides messages in one call and has the entry recorded. undefined: stopped. */
  decideOnce(
    messages: readonly ShardMessage[],
    force?: "rejected" | "stale",
  ): Promise<Decision | undefined>;
  /** Settles when everything decided so far is in the ledger (true), or the decider has stopped (false). */
  recorded(): Promise<boolean>;
  /** The order's state if the ledger has it. */
  lookUp(user: string, id: string): Promise<string | undefined>;
  tell(work: Work, outcomes: string): void;
}
