import { expect, test } from "bun:test";
import { batchingBetween, batchingText, sampleOf } from "./batching.ts";

const TEXT = `# HELP sluice_gateway_batches Batches sent to the broker.
sluice_gateway_batches_total{role="gateway",region="eu"} 40
sluice_gateway_batches_total{role="gateway",region="us"} 2
sluice_gateway_batches_totals 900
sluice_worker_up 1
`;

test("samples of a family are added up, whatever their labels", () => {
  expect(sampleOf(TEXT, "sluice_gateway_batches_total")).toBe(42);
  expect(sampleOf(TEXT, "sluice_worker_up")).toBe(1);
  expect(sampleOf(TEXT, "sluice_missing")).toBe(0);
});

test("batching is the difference of two looks, and unknown where nothing was counted", () => {
  const before = { accepted: 100, messages: 50, decided: 100, calls: 40, commits: 7 };
  const after = { accepted: 400, messages: 150, decided: 400, calls: 40, commits: 17 };
  expect(batchingBetween(before, after)).toEqual({ perMessage: 3, perCommit: 30 });
  expect(batchingBetween(before, undefined)).toEqual({});
  const text = batchingText({ perMessage: 3, perCommit: 30 });
  expect(text).toBe("Orders share their way: 3.0 a message, 30.0 a commit.");
});
