// Operators' verdicts on exchange rates that jumped: for the command line and the admin API. The
// ledger has each first, under its reference, then Redis.

import { settleRates } from "../../consumers/shards/sync-rates.ts";
import { isTooFar, type WaitingRate } from "../../core/domain/rate.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { type HeldRate, RateStore } from "../../core/stores/rate-store.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger, RateOperation } from "../../ledger/contract.ts";

type Operations = Pick<Ledger, "operate" | "operationsOpen" | "operationsDone">;

/**
 * `not_waiting`: no rate near that value waits; `now` does, if any. `applied`: whether Redis has
 * the verdict already; otherwise a worker takes it there.
 */
export type SettledByHand =
  | { readonly result: "done" | "repeated"; readonly applied: boolean }
  | { readonly result: "ref_conflict" }
  | { readonly result: "not_waiting"; readonly now?: string };

export interface RatesByHand {
  /** The rates in use, expired ones too, and those that wait or were refused. */
  list(): Promise<{ rates: readonly HeldRate[]; waiting: readonly WaitingRate[] }>;
  settle(verdict: Omit<RateOperation, "kind">, subject: string): Promise<SettledByHand>;
}

export function ratesByHand(
  ledger: Operations,
  redis: RedisStore,
  { rateMaxAgeMs, rateMaxStep }: Settings,
): RatesByHand {
  const store = new RateStore(redis, { maxAgeMs: rateMaxAgeMs, maxStep: rateMaxStep });
  const list = async () => {
    const [rates, waiting] = await Promise.all([store.all(), store.waiting()]);
    return { rates: rates.toSorted((a, b) => a.pair.localeCompare(b.pair)), waiting };
  };
  const isNear = (value: string | undefined, other: string) =>
    value !== undefined && !isTooFar(value, other, rateMaxStep);
  /** What became of a verdict. Redis is asked if another process has taken it there. */
  const settled = async ({ ref, verdict, pair, value }: Omit<RateOperation, "kind">) =>
    (await settleRates(ledger, store)).get(ref) ?? store.settle(verdict, pair, value);

  return {
    list,
    settle: async (verdict, subject) => {
      const { rates, waiting } = await list();
      const { pair, value } = verdict;
      const found = waiting.find((rate) => rate.pair === pair);
      const used = rates.find((rate) => rate.pair === pair)?.value;
      if (!found || !isNear(found.value, value)) {
        if (verdict.verdict === "accept" && isNear(used, value))
          return { result: "repeated", applied: true };
        return { result: "not_waiting", ...(found ? { now: found.value } : {}) };
      }
      if (verdict.verdict === "refuse" && found.state === "refused")
        return { result: "repeated", applied: true };
      const result = await ledger.operate({ kind: "rate", ...verdict }, subject);
      if (result === "ref_conflict") return { result };
      const word = await settled(verdict).catch(() => undefined); // a worker repeats it
      // Another rate has come in between, and Redis took no verdict on the one that was seen.
      if (word === "not_waiting") {
        const now = (await store.waiting()).find((rate) => rate.pair === pair)?.value;
        return { result: "not_waiting", ...(now === undefined ? {} : { now }) };
      }
      const applied = word !== undefined;
      return { result: result === "repeated" ? "repeated" : "done", applied };
    },
  };
}
