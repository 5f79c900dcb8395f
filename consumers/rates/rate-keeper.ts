// Where a worker's sound rates go: to Redis, which judges whether they jump, and the last of each
// pair to the ledger, so that a Redis that has lost them does not believe the first that comes.
//
// 1. A pair of which Redis has no rate is compared with the last in the ledger or, if there is none
//    either, with the rate that other pairs imply. It is believed unchecked only if no rate is
//    known at all.
// 2. While the ledger cannot be asked, such a pair is not believed: the feed repeats it.
import { crossed, type Rate } from "../../core/domain/rate.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { RateStore, RateWord } from "../../core/stores/rate-store.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";

export interface RateKeeperOptions {
  readonly runtime: Runtime;
  readonly store: Pick<RateStore, "put" | "all">;
  readonly ledger: Pick<Ledger, "rates">;
  readonly writer: Pick<LedgerWriter, "noteRates">;
  readonly now: () => number;
}

/** The ledger's last rate only has to show whether another is absurd. */
export const NOTE_EVERY_MS = 300_000;

export class RateKeeper {
  private readonly notedAtMs = new Map<string, number>();

  constructor(private readonly options: RateKeeperOptions) {}

  /** A word for each rate. Rejects if a store cannot be asked. */
  async put(rates: readonly Rate[]): Promise<RateWord[]> {
    const { store, now } = this.options;
    const words = await store.put(rates, now(), undefined);
    const unknown = rates.filter((_, i) => words[i] === "unknown");
    if (unknown.length > 0) {
      const again = await store.put(unknown, now(), await this.lastOf(unknown)); // 1
      for (const [i, word] of words.entries())
        if (word === "unknown") words[i] = again.shift() ?? word;
    }
    void ignore(this.note(rates.filter((_, i) => isUsed(words[i]))), "rates_noted");
    return words;
  }

  private async lastOf(rates: readonly Rate[]): Promise<ReadonlyMap<string, string>> {
    const { ledger, store } = this.options;
    const last = new Map((await ledger.rates()).map(({ pair, value }) => [pair, value])); // 2
    const stored = new Map((await store.all()).map(({ pair, value }) => [pair, value]));
    for (const { pair } of rates) {
      const value = last.get(pair) ?? crossed(pair, stored);
      if (value !== undefined) last.set(pair, value);
    }
    return last;
  }

  private async note(rates: readonly Rate[]): Promise<void> {
    const nowMs = this.options.runtime.monotonicMs();
    const due = rates.filter(
      ({ pair }) => nowMs - (this.notedAtMs.get(pair) ?? Number.NEGATIVE_INFINITY) >= NOTE_EVERY_MS,
    );
    if (due.length === 0) return;
    await this.options.writer.noteRates(due);
    for (const { pair } of due) this.notedAtMs.set(pair, nowMs);
  }
}

const isUsed = (word: RateWord | undefined): boolean => word === "kept" || word === "back";
