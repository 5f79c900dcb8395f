import { expect, test } from "bun:test";
import { isEnough, takeBatch } from "./batches.ts";
import type { Work } from "./work.ts";

const message = (bytes: number, deliveries = 0) =>
  ({ body: "x".repeat(bytes), deliveries }) as unknown as Work;

test("a message that is decided by itself does not wait for others", () => {
  expect(isEnough([message(10)], 1)).toBe(false);
  expect(isEnough([message(10, 2)], 1)).toBe(true);
});

test("while the governor slows the worker, what fills a smaller call does not wait", () => {
  expect(isEnough([message(20 * 1024)], 1)).toBe(false);
  expect(isEnough([message(20 * 1024)], 1 / 8)).toBe(true);
});

test("whenever a batch leaves a message behind, there was enough for it", () => {
  const queues = [1, 2, 3, 9, 15, 65].flatMap((count) =>
    [10, 4_000, 9_000, 50_000].flatMap((bytes) =>
      [0, count - 1, count].map((odd) =>
        Array.from({ length: count }, (_, i) => message(bytes, i === odd ? 2 : 0)),
      ),
    ),
  );
  for (const queue of queues) {
    for (const share of [1, 1 / 2, 1 / 4, 1 / 8]) {
      const rest = [...queue];
      takeBatch(rest, share);
      if (rest.length > 0) expect(isEnough(queue, share)).toBe(true);
    }
  }
});
