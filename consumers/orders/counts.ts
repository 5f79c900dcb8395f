// Counts what a worker has done since it started, for reports, metrics and the console. It counts
// per batch where possible, and allocates nothing per order.
import { type Entry, parseOutcome } from "../../core/domain/entry.ts";
import type { Tally } from "../../core/domain/words.ts";
import { Histogram } from "../../core/metrics/histogram.ts";

/** Orders in one FCALL. */
const BATCH_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 400, 600, 1_000, 2_000];

export class Counts {
  readonly outcomes: Record<string, number> = {};
  readonly steps: Record<string, number> = {};
  retries = 0;
  followUps = 0;
  rebuilds = 0;
  rebuildsFailed = 0;
  private rebuildTookMs: number | undefined;
  /** Entries that the ledger could not read. */
  unreadable = 0;
  /** Orders. */
  readonly batch = new Histogram(BATCH_BOUNDS);
  /** Seconds per call and per transaction. */
  readonly decide = new Histogram();
  readonly commit = new Histogram();
  /** Seconds per order from its acceptance until it is recorded. */
  readonly recorded = new Histogram();

  report() {
    const { outcomes, steps, retries, followUps, rebuilds, rebuildsFailed } = this;
    const { batch, decide, commit, recorded } = this;
    const times = { decide: decide.report(), commit: commit.report(), recorded: recorded.report() };
    return {
      outcomes,
      steps,
      retries,
      followUps,
      rebuilds,
      rebuildsFailed,
      ...(this.rebuildTookMs === undefined ? {} : { rebuildTookMs: this.rebuildTookMs }),
      deadLettered: steps.payment_failed ?? 0,
      batch: batch.report(),
      ...times,
    };
  }

  rebuilt(tookMs: number): void {
    this.rebuilds++;
    this.rebuildTookMs = Math.round(tookMs);
  }

  /** Follow-ups have been published and marked. */
  relayed(followUps: number): void {
    this.followUps += followUps;
  }

  /** The ledger has recorded this entry. `words` is the tally of its messages' outcomes. */
  entry({ released, steps }: Entry, words: Tally): void {
    for (const [word, rows] of words) if (isDecision(word)) add(this.outcomes, word, rows);
    for (const { state } of released) add(this.outcomes, state);
    for (const step of steps) {
      add(this.steps, step.what);
      if (step.what === "start" && step.attempt > 1) this.retries++;
    }
  }
}

/** Known and refused orders are no decisions. Cancels and charges are counted as steps. */
function isDecision(word: string): boolean {
  switch (parseOutcome(word).kind) {
    case "fresh":
    case "past":
    case "skipped":
    case "skip_late":
      return true;
    case "known":
    case "conflict":
    case "step":
      return false;
  }
}

function add(counts: Record<string, number>, word: string, times = 1): void {
  counts[word] = (counts[word] ?? 0) + times;
}
