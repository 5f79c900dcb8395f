import { expect, test } from "bun:test";
import fc from "fast-check";
import { TokenBuckets } from "./token-bucket.ts";

test("a full bucket gives its burst at once, then one token per interval", () => {
  const buckets = new TokenBuckets({ perSecond: 10, burst: 5 });
  for (let i = 0; i < 5; i++) expect(buckets.take("ann", 1_000)).toBe(0);
  expect(buckets.take("ann", 1_000)).toBeCloseTo(100);
  expect(buckets.take("ann", 1_099)).toBeCloseTo(1);
  expect(buckets.take("ann", 1_100)).toBe(0);
  expect(buckets.take("ann", 1_101)).toBeCloseTo(99);
  // Each key has a bucket of its own.
  expect(buckets.take("bob", 1_101)).toBe(0);
});

test("it reports the tokens left and when it is full again", () => {
  const buckets = new TokenBuckets({ perSecond: 10, burst: 5 });
  expect(buckets.look("ann", 0)).toEqual({ left: 5, fullInMs: 0 });
  buckets.take("ann", 0);
  buckets.take("ann", 0);
  expect(buckets.look("ann", 0)).toEqual({ left: 3, fullInMs: 200 });
  expect(buckets.look("ann", 150)).toEqual({ left: 4, fullInMs: 50 });
});

test("under any calls a bucket gives exactly its burst and its rate", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 20 }),
      (waits, perSecond, burst) => {
        const buckets = new TokenBuckets({ perSecond, burst });
        let nowMs = 5_000;
        let tokens = burst;
        for (const wait of waits) {
          nowMs += wait;
          tokens = Math.min(burst, tokens + (wait * perSecond) / 1_000);
          // The model is a plain bucket with fractional tokens.
          if (buckets.take("ann", nowMs) === 0) {
            expect(tokens).toBeGreaterThan(1 - 1e-3);
            tokens -= 1;
          } else expect(tokens).toBeLessThan(1 + 1e-3);
        }
      },
    ),
  );
});
