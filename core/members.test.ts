import { expect, test } from "bun:test";
import { fairShares } from "./members.ts";

const names = (count: number) =>
  Array.from({ length: count }, () => `worker-${crypto.randomUUID().slice(0, 8)}`);

test.each([1, 2, 3, 5, 8, 11])("%i workers hold 8 shards in fair shares, whoever asks", (count) => {
  for (let round = 0; round < 50; round++) {
    const workers = names(count);
    const holders = fairShares(8, workers);
    expect(holders).toHaveLength(8);
    const held = workers.map((worker) => holders.filter((holder) => holder === worker).length);
    expect(Math.max(...held)).toBe(Math.ceil(8 / count));
    expect(fairShares(8, workers.toReversed())).toEqual(holders);
  }
});

test("without workers nobody holds anything", () => {
  expect(fairShares(8, [])).toEqual([]);
});

test("most shards stay where they are when a worker comes", () => {
  let moved = 0;
  for (let round = 0; round < 100; round++) {
    const workers = names(4);
    const before = fairShares(16, workers.slice(0, 3));
    const after = fairShares(16, workers);
    moved += before.filter((holder, shard) => holder !== after[shard]).length;
  }
  // Four of sixteen have to move; the bound on the shares moves a few more.
  expect(moved / 100).toBeLessThan(8);
});
