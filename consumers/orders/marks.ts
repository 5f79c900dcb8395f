// Marks published follow-ups of all shards, one update of the ledger at a time. While one runs, the
// next one fills.

interface Waiting {
  readonly ids: readonly number[];
  readonly settled: PromiseWithResolvers<void>;
}

export class Marks {
  private waiting: Waiting[] = [];
  private busy = false;

  /** `write`: marks them in the ledger. */
  constructor(private readonly write: (ids: readonly number[]) => Promise<void>) {}

  /** Settles once they are marked. Rejects if the ledger could not do it. */
  add(ids: readonly number[]): Promise<void> {
    const settled = Promise.withResolvers<void>();
    this.waiting.push({ ids, settled });
    if (!this.busy) void this.run();
    return settled.promise;
  }

  private async run(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0);
      try {
        await this.mark(batch.flatMap(({ ids }) => ids));
        for (const { settled } of batch) settled.resolve();
      } catch (error) {
        for (const { settled } of batch) settled.reject(error);
      }
    }
    this.busy = false;
  }

  /** Tries twice: after a failure all shards would publish these follow-ups again. */
  private async mark(ids: readonly number[]): Promise<void> {
    try {
      await this.write(ids);
    } catch {
      await this.write(ids);
    }
  }
}
