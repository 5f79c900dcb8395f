// ② publish: orders for their shards (broker/lanes.ts), each with its recipient.
import { BatchLanes, type BatchLanesOptions } from "../../broker/lanes.ts";
import type { Order } from "../../core/domain/order.ts";
import type { Row } from "../../core/domain/row.ts";
import { orderLength, rowLength } from "../../core/domain/row-length.ts";
import type { Traceparent } from "../../core/domain/trace.ts";
import { Batch, type Recipient } from "./batch.ts";

export type LanesOptions = Omit<BatchLanesOptions<Batch>, "newBatch">;

export class Lanes extends BatchLanes<Batch> {
  constructor(options: LanesOptions) {
    const { runtime, shards, limits, paceMs, publish, numberPrefix } = options;
    const { onSending, onSettled } = options;
    const newBatch = (shard: number, number: string) =>
      new Batch(shard, number, runtime.monotonicMs);
    super({
      runtime,
      shards,
      limits,
      newBatch,
      paceMs,
      publish,
      numberPrefix,
      onSending,
      onSettled,
    });
  }

  /** Adds an order; false if too much is waiting. `fingerprint`: of the order, if it is known. */
  order(
    shard: number,
    order: Order,
    atMs: number,
    trace: Traceparent | undefined,
    recipient: Recipient,
    ref: unknown,
    fingerprint?: string,
  ): boolean {
    const length = orderLength(order, trace !== undefined);
    const batch = this.room(shard, length);
    if (!batch) return false;
    batch.order(order, atMs, trace, length, recipient, ref, fingerprint);
    this.added(shard, length);
    return true;
  }

  /** Adds a row of another kind; false if too much is waiting. */
  add(shard: number, row: Row, recipient: Recipient, ref: unknown): boolean {
    const length = rowLength(row);
    const batch = this.room(shard, length);
    if (!batch) return false;
    batch.add(row, length, recipient, ref);
    this.added(shard, length);
    return true;
  }
}
