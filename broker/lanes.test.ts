import { expect, test } from "bun:test";
import { VirtualRuntime } from "../core/runtime/testing.ts";
import { BatchLanes, type LaneBatch } from "./lanes.ts";

class Batch implements LaneBatch {
  size = 0;
  readonly length = 0;
  sentMs = 0;
  constructor(
    readonly shard: number,
    readonly number: string,
  ) {}
  body = () => Buffer.from("");
  settle = () => undefined;
}

class TestLanes extends BatchLanes<Batch> {
  add(shard: number, rows: number): void {
    for (let i = 0; i < rows; i++) {
      const batch = this.room(shard, 0);
      if (batch) batch.size++;
      this.added(shard, 0);
    }
  }
}

test("a lane that hurries while the turn of all begins is sent once", async () => {
  const runtime = new VirtualRuntime();
  const sent: [shard: number, rows: number][] = [];
  const lanes = new TestLanes({
    ...{ runtime, shards: 2, numberPrefix: "n", paceMs: () => 0 },
    limits: { batchOrders: 1_000, batchBytes: 1_000, waitingBytes: 1_000 },
    newBatch: (shard, number) => new Batch(shard, number),
    publish: async () => {
      await runtime.sleep(5);
      return "confirmed";
    },
    onSending: ({ shard, size }) => {
      sent.push([shard, size]);
      if (shard === 0) lanes.add(1, 100); // enough for a message
    },
    onSettled: () => undefined,
  });
  lanes.add(0, 1);
  lanes.add(1, 1);
  await runtime.advance(20);
  expect(sent).toEqual([
    [0, 1],
    [1, 101],
  ]);
  await lanes.idle();
});
