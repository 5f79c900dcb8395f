import { expect, test } from "bun:test";
import type { ChargeRequest } from "../../core/domain/charge.ts";
import { Breaker } from "./breaker.ts";
import { charge } from "./charger.ts";

test("a call that arrives at the provider after the look-up is not a failed charge", async () => {
  const book = new Map<string, string>();
  const request: ChargeRequest = {
    kind: "charge",
    user: "u",
    id: "i".repeat(36),
    generation: 1,
    attempt: 1,
    amount: 1,
    currency: "EUR",
    payment: "t",
  };
  const later: Promise<unknown>[] = [];
  const result = await charge(request, {
    provider: {
      charge: async () => {
        later.push(Bun.sleep(200).then(() => book.set("key", "captured")));
        return { kind: "unknown", why: "no answer in time" };
      },
      lookUp: async () => (book.has("key") ? { kind: "captured", now: "kept" } : { kind: "none" }),
      refund: async () => ({ kind: "unknown", why: "nobody asks" }),
      lookUpRefund: async () => ({ kind: "none" }),
    },
    breaker: new Breaker({
      failures: 100,
      pauseMs: 1,
      maxPauseMs: 1,
      now: () => performance.now(),
    }),
    sleep: (ms) => Bun.sleep(ms),
    lookUpAfterMs: [50, 100, 200],
    stopped: () => false,
  });
  await Promise.all(later);
  expect(book.get("key")).toBe("captured");
  expect(result.word).not.toBe("failed"); // attempt 2 is charged next: two captures
});
