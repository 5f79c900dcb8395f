// What a decider receives, and why it may stop by itself.
import type { Entry, EntryId } from "../../core/domain/entry.ts";
import type { Tally } from "../../core/domain/words.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Pacer } from "../../core/runtime/pacer.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { DecidingClock } from "../../core/stores/clock.ts";
import type { Claim, Refusal, ShardStore } from "../../core/stores/shard-store.ts";
import type { Governing } from "../governor/governing.ts";
import type { Counts } from "./counts.ts";
import type { LaterState } from "./later-states.ts";
import type { Recorder } from "./recorder.ts";
import type { Deciding, Work } from "./work.ts";

/**
 * `lost`: Redis has lost something that the ledger has, or contradicts it. `went_back`: the ledger
 * is behind what it had confirmed.
 */
export type StopReason = Refusal | "lost" | "went_back" | "store_unavailable" | "broken";

export interface DeciderOptions {
  readonly runtime: Runtime;
  readonly claim: Claim;
  /** The last entry that the ledger has confirmed; `on.recorded` and `on.unreadable` move it. */
  readonly mark: { readonly last: { readonly id: EntryId } };
  readonly dedupWindowMs: number;
  readonly stores: {
    readonly store: ShardStore;
    readonly recorder: Recorder;
    readonly lookUp: Deciding["lookUp"];
  };
  readonly governing: Governing;
  /** When batches are decided: the worker's shards take their turns together. */
  readonly pacer: Pacer;
  readonly counts: Counts;
  /** Receives the decisions on orders that carry a trace. */
  readonly spans?: SpanRecorder | undefined;
  /** Redis's clock. */
  readonly clock: Pick<DecidingClock, "bounds" | "now">;
  readonly on: DeciderEvents;
}

/** What the decider reports to its owner. */
export interface DeciderEvents {
  readonly recorded: (entry: Entry, words: Tally) => void;
  /** The ledger could not read the entry, and kept its text as a dead letter. */
  readonly unreadable: (entry: Entry) => void;
  /** A message's outcomes have been recorded. */
  readonly decided: (work: Work, outcomes: string) => void;
  /** Orders decided or parked earlier have new states. */
  readonly changed: (changes: readonly LaterState[]) => void;
  /** It has stopped by itself. */
  readonly stopped: (reason: StopReason, detail: string) => void;
}
