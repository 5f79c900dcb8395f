// Makes snapshots in a thread of its own, because they parse everything that a rush recorded, and
// SQLite's calls block.
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { Db } from "../../ledger/db.ts";
import { makeSnapshot, type Pace, type SnapshotJob } from "./make-snapshot.ts";

declare const self: Worker;

export interface ThreadJob extends SnapshotJob {
  readonly url: string;
}
/** `n` is the last entry in the shard's newest snapshot. */
export interface ThreadAnswer {
  readonly shard: number;
  readonly n?: number;
  readonly ms?: number;
  readonly error?: string;
  readonly passedOver?: Record<string, unknown>;
}

/** The share of one core. It follows 12,000 orders/s (docs/decisions/0011-rebuild.md). */
const SHARE = 0.05;
/** How long it works before it rests: about the time for one chunk of entries. */
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
    postMessage({ shard, error: messageOf(error) } satisfies ThreadAnswer);
  }
};
