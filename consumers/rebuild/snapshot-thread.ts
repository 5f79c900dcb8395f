// Snapshots are made in a thread of their own: they parse what a rush has recorded, and SQLite's
// calls block.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db } from "../../ledger/db.ts";
import { makeSnapshot, type Pace, type SnapshotJob } from "./make-snapshot.ts";

declare const self: Worker;

export interface ThreadJob extends SnapshotJob {
  readonly url: string;
}
/** `n`: what the shard's newest snapshot holds now. */
export interface ThreadAnswer {
  readonly shard: number;
  readonly n?: number;
  readonly ms?: number;
  readonly error?: string;
  readonly passedOver?: Record<string, unknown>;
}

/**
 * Of one core. At 4 µs an order it follows 12,000 orders a second; a faster rush is caught up with
 * afterwards.
 */
const SHARE = 0.05;
/** Work done before it rests: about what one chunk of entries takes. */
const WORK_MS = 5;

class Rests implements Pace {
  private sinceMs = realRuntime.monotonicMs();

  async rest(): Promise<void> {
    const workedMs = realRuntime.monotonicMs() - this.sinceMs;
    if (workedMs < WORK_MS) return;
    await realRuntime.sleep(workedMs * (1 / SHARE - 1));
    this.sinceMs = realRuntime.monotonicMs();
  }
}

self.onmessage = async ({ data: { url, ...job } }: MessageEvent<ThreadJob>) => {
  const { shard } = job;
  const startedMs = realRuntime.monotonicMs();
  try {
    const db = await Db.open(realRuntime, url);
    const log = (_: string, passedOver: Record<string, unknown>) =>
      postMessage({ shard, passedOver } satisfies ThreadAnswer);
    const n = await makeSnapshot(db, job, { pace: new Rests(), log }).finally(() => db.close());
    const ms = Math.round(realRuntime.monotonicMs() - startedMs);
    postMessage({ shard, n, ms } satisfies ThreadAnswer);
  } catch (error) {
    postMessage({ shard, error: (error as Error).message } satisfies ThreadAnswer);
  }
};
