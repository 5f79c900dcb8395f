// Rises from a calm rate to eight times that and falls again, while the worker is limited to the
// initial rate (run.ts), because k6 on the same machine cannot offer several times the full
// capacity. Orders beyond the target wait must be refused, every request answered, and none
// dropped.
import type { Options } from "k6/options";
import { placeBatch } from "./batches.ts";
import { BATCH, RATE, SECONDS, SUMMARY } from "./orders.ts";

const PEAK = RATE * 8;
const part = (share: number): string => `${Math.max(1, Math.round(SECONDS * share))}s`;

export const options: Options = {
  summaryTrendStats: SUMMARY,
  scenarios: {
    burst: {
      executor: "ramping-arrival-rate",
      startRate: RATE,
      timeUnit: "1s",
      preAllocatedVUs: 1_000,
      maxVUs: 2_000,
      stages: [
        { target: RATE, duration: part(0.2) },
        { target: PEAK, duration: part(0.1) },
        { target: PEAK, duration: part(0.4) },
        { target: RATE, duration: part(0.1) },
        { target: RATE, duration: part(0.2) },
      ],
    },
  },
  thresholds: {
    dropped_iterations: ["count<1"],
    // Half of what is offered at RATE: if all were refused, nothing would be unanswered either.
    orders_accepted: [`count>${(RATE * BATCH * SECONDS) / 2}`],
    http_req_failed: ["rate<0.001"],
    orders_unanswered: ["count<1"],
    http_req_duration: ["p(99)<3000"],
  },
};

export default placeBatch;
