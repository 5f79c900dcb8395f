// ② publish: orders on their way to their shards (broker/lanes.ts), each with its recipient.
import { BatchLanes, type BatchLanesOptions } from "../../broker/lanes.ts";
import { Batch, type Recipient } from "./batch.ts";

export type LanesOptions = Omit<BatchLanesOptions<Batch>, "newBatch">;

export class Lanes extends BatchLanes<Batch> {
  constructor(options: LanesOptions) {
    const { monotonicMs } = options.runtime;
    super({ ...options, newBatch: (shard, number) => new Batch(shard, number, monotonicMs) });
  }

  /** Takes a row, or says false: too much is waiting. */
  add(
    shard: number,
    row: string,
    user: string,
    id: string,
    recipient: Recipient,
    ref: unknown,
  ): boolean {
    const batch = this.room(shard, row.length);
    if (!batch) return false;
    batch.add(row, user, id, recipient, ref);
    this.added(shard, row.length);
    return true;
  }
}
