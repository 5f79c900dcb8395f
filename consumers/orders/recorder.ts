// ④ record: commits the entries of all shards, one ledger transaction at a time. While one runs,
// the next one fills. Deciders take their turns together, so a small commit waits a moment for the
// entries that are on their way from Redis.
//
// 1. Entries are recorded in the order in which they were given.
// 2. While the ledger cannot be reached, the same entries are repeated until it answers. None is
//    acknowledged or given up. A lost answer may have been a commit, so the ledger recognizes each
//    entry it has by its id (ledger/record.ts).
// 3. A commit with enough to record waits for no entry, and no commit waits longer than GATHER_MS.
// 4. After a stop, everything pending settles as `fenced`. The next owners find it in the outbox.
import type { Entry } from "../../core/domain/entry.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { EntryToRecord, LedgerWriter, RecordResult } from "../../ledger/contract.ts";

/**
 * Entries in one transaction: enough to share an fsync among all shards, few enough that the first
 * does not wait long for the last.
 */
const MAX_ENTRIES = 64;
/** Longer than a call of a few messages takes. */
const GATHER_MS = 5;
/** Text of the entries in a commit that waits for no more: about 100 orders. */
const ENOUGH_CHARACTERS = 24 * 1024;
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
  /** Calls to Redis under way, whose entries may come. */
  private coming = 0;
  /** Ends the wait for them; undefined: nothing waits. */
  private allCame: (() => void) | undefined;
  private busy = false;
  private stopped = false;
  /** Since when the ledger has not answered, monotonic ms; undefined while it does. */
  downSinceMs: number | undefined;
  /** The ledger's error at that time, in a word. */
  downState = "away";
  /** When the oldest unanswered attempt began, monotonic ms. */
  private askedAtMs: number | undefined;

  constructor(private readonly options: RecorderOptions) {}

  /** Records an entry after all earlier ones. Waits for as long as the ledger is away. */
  record(entry: Entry, epoch: number): Promise<RecordResult> {
    if (this.stopped) return Promise.resolve("fenced"); // 4
    const { promise, resolve } = Promise.withResolvers<RecordResult>();
    this.waiting.push({ entry, epoch, settle: resolve });
    if (!this.busy)
      void this.run(); // 1
    else if (this.allCame && this.isEnough()) this.allCame(); // 3
    return promise;
  }

  /** A call to Redis has begun that may produce an entry. Call the function when it has ended. */
  expect(): () => void {
    this.coming++;
    return () => {
      if (--this.coming === 0) this.allCame?.();
    };
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
    for (const w of this.waiting.splice(0)) w.settle("fenced"); // 4
  }

  private async run(): Promise<void> {
    this.busy = true;
    let retryMs = RETRY_MIN_MS;
    while (this.waiting.length > 0 && !this.stopped) {
      await this.gather();
      const batch = this.waiting.slice(0, MAX_ENTRIES);
      if (batch.length === 0) break;
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

  /** Waits for the entries on their way, and for those of the same turn (3). */
  private async gather(): Promise<void> {
    const { runtime } = this.options;
    if (this.isEnough()) return;
    if (this.coming > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = runtime.startTimer(resolve, GATHER_MS);
      this.allCame = resolve;
      await promise;
      this.allCame = undefined;
      runtime.stopTimer(timer);
    }
    await new Promise<void>((resolve) => runtime.nextTurn(resolve));
  }

  private isEnough(): boolean {
    if (this.waiting.length >= MAX_ENTRIES) return true;
    let characters = 0;
    for (const { entry } of this.waiting)
      for (const { body } of entry.messages) characters += body.length;
    return characters >= ENOUGH_CHARACTERS;
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
    this.downState = stateOf(error);
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

/** The word in a ledger's error (ledger/database-errors.ts); another error is a silence. */
export function stateOf(error: unknown): string {
  const { state } = error as { state?: unknown };
  return typeof state === "string" ? state : "away";
}
