// A constant rate well within capacity: nothing may be dropped or refused, and answers must be
// fast.
import type { Options } from "k6/options";
import { placeBatch } from "./batches.ts";
import { BATCH, RATE, SECONDS, SUMMARY } from "./orders.ts";

export const options: Options = {
  summaryTrendStats: SUMMARY,
  scenarios: {
    steady: {
      executor: "constant-arrival-rate",
      rate: RATE,
      timeUnit: "1s",
      duration: `${SECONDS}s`,
      preAllocatedVUs: 50,
      maxVUs: 500,
    },
  },
  thresholds: {
    dropped_iterations: ["count<1"],
    // Half of what is offered at RATE: if all were refused, nothing would be unanswered either.
    orders_accepted: [`count>${(RATE * BATCH * SECONDS) / 2}`],
    http_req_failed: ["rate<0.001"],
    orders_refused: ["count<1"],
    http_req_duration: ["p(99)<500"],
  },
};

export default placeBatch;
