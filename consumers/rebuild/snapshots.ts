// Decides when a shard's owner makes its next snapshot: one at a time, once enough entries have
// been recorded since the last one.
import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { SnapshotJob } from "./make-snapshot.ts";
import type { ThreadAnswer, ThreadJob } from "./snapshot-thread.ts";

/** While a closed sale waits for its orders to end, quiet shards get snapshots this often. */
const WANTED_EVERY_MS = 600_000;
/** The pause between a worker's snapshots. They are for rebuilds, which are rare. */
const PAUSE_MS = 5_000;

export interface SnapshotsOptions {
  readonly runtime: Runtime;
  readonly ledgerUrl: string;
  readonly ledger: Pick<Ledger, "snapshots">;
  readonly dedupWindowMs: number;
  /** Entries of a shard from one snapshot to the next. Bounds how many a rebuild has to read. */
  readonly snapshotEntries: number;
  /** Redis's clock. */
  readonly now: () => number;
  /** Makes a snapshot in this thread, for a simulation; absent: a thread of its own does. */
  readonly makeHere?: ((job: SnapshotJob) => Promise<number>) | undefined;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class Snapshots {
  private thread: Worker | undefined;
  private busy = false;
  private restsUntilMs = 0;
  /** The last entry in each shard's newest snapshot, as far as it is known. */
  private readonly held = new Map<number, number>();
  private readonly madeAtMs = new Map<number, number>();

  constructor(private readonly options: SnapshotsOptions) {}

  /**
   * Makes a shard's snapshot if one is due. `lastN` is the last recorded entry. With `wanted`, a
   * single new entry suffices.
   */
  async makeIfDue(shard: number, lastN: number, wanted = false): Promise<void> {
    if (this.busy || this.options.runtime.monotonicMs() < this.restsUntilMs) return;
    const { ledger, snapshotEntries } = this.options;
    let held = this.held.get(shard);
    if (held === undefined) {
      held = (await ledger.snapshots(shard)).find((head) => head.inChain)?.n ?? 0;
      this.held.set(shard, held);
    }
    const sinceMs =
      this.options.runtime.monotonicMs() - (this.madeAtMs.get(shard) ?? Number.NEGATIVE_INFINITY);
    // Another shard's snapshot may have begun meanwhile.
    if (this.busy) return;
    if (lastN - held < (wanted && sinceMs > WANTED_EVERY_MS ? 1 : snapshotEntries)) return;
    this.make(shard, lastN);
  }

  /** The shard has another owner now, who may make snapshots too. */
  forget(shard: number): void {
    this.held.delete(shard);
  }

  stop(): void {
    this.thread?.terminate();
    this.thread = undefined;
    this.busy = true;
  }

  private make(shard: number, n: number): void {
    const { ledgerUrl: url, dedupWindowMs, now, makeHere } = this.options;
    this.busy = true;
    const job = { shard, n, sinceMs: now() - dedupWindowMs };
    if (makeHere) {
      makeHere(job).then(
        (made) => this.ended({ shard, n: made }),
        (error) => this.ended({ shard, error: messageOf(error) }),
      );
      return;
    }
    this.thread ??= this.start();
    this.thread.postMessage({ url, ...job } satisfies ThreadJob);
  }

  private start(): Worker {
    const thread = new Worker(new URL("./snapshot-thread.ts", import.meta.url).href);
    const ended = (error: string) => {
      if (this.thread !== thread) return;
      this.thread = undefined;
      thread.terminate();
      this.ended({ shard: -1, error });
    };
    thread.onmessage = ({ data }: MessageEvent<ThreadAnswer>) => {
      if (data.passedOver) this.options.log("snapshot skipped", data.passedOver);
      else this.ended(data);
    };
    thread.onerror = (event) => ended(event.message);
    thread.addEventListener("close", () => ended("the thread ended"));
    return thread;
  }

  private ended({ shard, n, ms, error }: ThreadAnswer): void {
    this.busy = false;
    this.restsUntilMs = this.options.runtime.monotonicMs() + PAUSE_MS;
    this.madeAtMs.set(shard, this.options.runtime.monotonicMs());
    if (n !== undefined) this.held.set(shard, n);
    if (n === undefined) this.options.log("snapshot failed", { shard, error });
    else this.options.log("snapshot made", { shard, n, ms });
  }
}
