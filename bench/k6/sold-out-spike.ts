// A sale with a few units of one item, and many users who want it at the same moment and keep
// trying. Nobody may get a unit that does not exist, every answer must be a result or a refusal,
// and refusals must be fast.
import { sleep } from "k6";
import exec from "k6/execution";
import { Counter, Trend } from "k6/metrics";
import type { Options } from "k6/options";
import { RATE, SECONDS, SUMMARY, UNITS } from "./orders.ts";
import { lookUp, type Placed, place } from "./single.ts";

/** All at once, and again after a second or so. */
const USERS = Math.min(2_000, RATE * 20);
const PAUSE_MIN_S = 0.5;
const PAUSE_SPAN_S = 1;
/**
 * How often and for how long a buyer asks for the outcome, which takes some ms on an idle system.
 */
const LOOKS = 30;
const LOOK_S = 1;

const reserved = new Counter("orders_reserved");
const undecided = new Counter("orders_undecided");
const refusals = new Trend("refusal_ms", true);

export const options: Options = {
  summaryTrendStats: SUMMARY,
  scenarios: {
    spike: {
      executor: "constant-vus",
      vus: USERS,
      duration: `${SECONDS}s`,
      gracefulStop: `${LOOKS * LOOK_S + 10}s`,
    },
  },
  thresholds: {
    // Every unit is sold, and none twice.
    orders_reserved: [`count>=${UNITS}`, `count<=${UNITS}`],
    orders_undecided: ["count<1"],
    // Those who try again find it sold out.
    orders_refused: [`count>${USERS / 2}`],
    orders_unanswered: ["count<1"],
    answers_unexpected: ["count<1"],
    refusal_ms: ["p(99)<2000"],
  },
};

export default function want(): void {
  const { placed, answer } = place(`user-${exec.vu.idInTest}`, "last");
  if (placed) follow(placed);
  else refusals.add(answer.timings.duration);
  sleep(PAUSE_MIN_S + Math.random() * PAUSE_SPAN_S);
}

function follow(order: Placed): void {
  for (let look = 0; look < LOOKS; look++) {
    sleep(LOOK_S * (0.5 + Math.random() / 2));
    const status = lookUp(order);
    if (status === "reserved") reserved.add(1);
    if (status !== undefined && status !== "accepted") return;
  }
  undecided.add(1);
}
