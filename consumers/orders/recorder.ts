// ④ record: commits the entries of all shards, one ledger transaction at a time. While one runs,
// the next one fills.
//
// 1. Entries are recorded in the order in which they were given.
// 2. While the ledger cannot be reached, the same entries are repeated until it answers. None is
//    acknowledged or given up. A lost answer may have been a commit, so the ledger recognizes each
//    entry it has by its id (ledger/record.ts).
// 3. After a stop, everything pending settles as `fenced`. The next owners find it in the outbox.
import type { Entry } from "../../core/domain/entry.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { EntryToRecord, LedgerWriter, RecordResult } from "../../ledger/contract.ts";

/**
 * Entries in one transaction: enough to share an fsync among all shards, few enough that the first
 * does not wait long for the last.
 */
const MAX_ENTRIES = 64;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;

interface Waiting extends EntryToRecord {
  readonly settle: (result: RecordResult) => void;
}

export interface RecorderOptions {
  readonly runtime: Runtime;
  readonly writer: LedgerWriter;
  /** Measures each transaction, in seconds. */
  readonly timed?: { readonly begin: () => () => number; readonly took: (seconds: number) => void };
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class Recorder {
  private waiting: Waiting[] = [];
  private busy = false;
  private stopped = false;
  /** Since when the ledger has not answered, monotonic ms; undefined while it does. */
  downSinceMs: number | undefined;
  /** When the oldest unanswered attempt began, monotonic ms. */
  private askedAtMs: number | undefined;

  constructor(private readonly options: RecorderOptions) {}

  /** Records an entry after all earlier ones. Waits for as long as the ledger is away. */
  record(entry: Entry, epoch: number): Promise<RecordResult> {
    if (this.stopped) return Promise.resolve("fenced"); // 3
    const { promise, resolve } = Promise.withResolvers<RecordResult>();
    this.waiting.push({ entry, epoch, settle: resolve });
    if (!this.busy) void this.run(); // 1
    return promise;
  }

  /** Entries not yet settled. */
  get length(): number {
    return this.waiting.length;
  }

  /** How long the ledger has not answered; 0 if nothing was asked. */
  get silentMs(): number {
    return this.askedAtMs === undefined ? 0 : this.options.runtime.monotonicMs() - this.askedAtMs;
  }

  stop(): void {
    this.stopped = true;
    for (const w of this.waiting.splice(0)) w.settle("fenced"); // 3
  }

  private async run(): Promise<void> {
    this.busy = true;
    let retryMs = RETRY_MIN_MS;
    while (this.waiting.length > 0 && !this.stopped) {
      const batch = this.waiting.slice(0, MAX_ENTRIES);
      this.askedAtMs ??= this.options.runtime.monotonicMs();
      try {
        const results = await this.commit(batch);
        this.answered();
        this.waiting.splice(0, batch.length); // 2: not before the ledger has answered
        // An entry without a result was not recorded: its shard is released and looks again.
        batch.forEach((w, i) => {
          w.settle(results[i] ?? "refused");
        });
        retryMs = RETRY_MIN_MS;
        this.askedAtMs = undefined;
      } catch (error) {
        this.unanswered(error);
        await this.options.runtime.sleep(retryMs);
        retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
      }
    }
    this.busy = false;
  }

  private async commit(batch: readonly Waiting[]): Promise<RecordResult[]> {
    const { writer, timed } = this.options;
    const ended = timed?.begin();
    try {
      return await writer.record(batch.map(({ entry, epoch }) => ({ entry, epoch })));
    } finally {
      if (ended) timed?.took(ended() / 1_000);
    }
  }

  private unanswered(error: unknown): void {
    if (this.downSinceMs !== undefined) return;
    this.downSinceMs = this.options.runtime.monotonicMs();
    this.options.log("ledger away", { error: messageOf(error), waiting: this.waiting.length });
  }

  private answered(): void {
    if (this.downSinceMs === undefined) return;
    const afterMs = Math.round(this.options.runtime.monotonicMs() - this.downSinceMs);
    this.downSinceMs = undefined;
    this.options.log("ledger back", { afterMs });
  }
}
