import { expect, test } from "bun:test";
import { Marks } from "./marks.ts";

/** Marks whose updates the test answers. */
function rig() {
  const updates: {
    readonly ids: readonly number[];
    readonly answer: PromiseWithResolvers<void>;
  }[] = [];
  const marks = new Marks((ids) => {
    const answer = Promise.withResolvers<void>();
    updates.push({ ids, answer });
    return answer.promise;
  });
  return { updates, marks };
}

test("while one update runs, the next one fills", async () => {
  const { updates, marks } = rig();
  const first = marks.add([1]);
  const others = [marks.add([2, 3]), marks.add([4])];
  expect(updates.map(({ ids }) => ids)).toEqual([[1]]);
  updates[0]?.answer.resolve();
  await first;
  expect(updates.map(({ ids }) => ids)).toEqual([[1], [2, 3, 4]]);
  updates[1]?.answer.resolve();
  await Promise.all(others);
});

test("an update that fails once is repeated, so no shard publishes again", async () => {
  const { updates, marks } = rig();
  const first = marks.add([1]);
  updates[0]?.answer.reject(new Error("the connection was lost"));
  await Bun.sleep(0);
  updates[1]?.answer.resolve();
  await first;
  expect(updates.map(({ ids }) => ids)).toEqual([[1], [1]]);
});

test("an update that fails twice fails for those who wait for it, not for the next", async () => {
  const { updates, marks } = rig();
  const first = marks.add([1]);
  const second = marks.add([2]);
  const failure = first.catch(String);
  for (const attempt of [0, 1]) {
    updates[attempt]?.answer.reject(new Error("the ledger is away"));
    await Bun.sleep(0);
  }
  expect(await failure).toContain("the ledger is away");
  updates[2]?.answer.resolve();
  await second;
});
