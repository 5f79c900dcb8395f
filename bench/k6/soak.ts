// A low rate of mixed requests for minutes: eight in ten are orders, one looks one up, one cancels
// one. Nothing may fail, slow down or grow; run.ts watches the memory of gateway and worker.
import type { Options } from "k6/options";
import { itemOf, RATE, SECONDS, SUMMARY, userOf } from "./orders.ts";
import { cancel, lookUp, type Placed, place } from "./single.ts";

/** Orders that this instance remembers for look-ups and cancels. */
const REMEMBERED = 100;
/** Of ten requests, the number of one that looks up and of one that cancels. */
const LOOKS_UP = 8;
const CANCELS = 9;

export const options: Options = {
  summaryTrendStats: SUMMARY,
  scenarios: {
    soak: {
      executor: "constant-arrival-rate",
      rate: RATE,
      timeUnit: "1s",
      duration: `${SECONDS}s`,
      preAllocatedVUs: 20,
      maxVUs: 500,
    },
  },
  thresholds: {
    dropped_iterations: ["count<1"],
    // Half of what is offered at RATE: if all were refused, nothing would be unanswered either.
    orders_accepted: [`count>${(RATE * SECONDS) / 2}`],
    orders_unanswered: ["count<1"],
    answers_unexpected: ["count<1"],
    http_req_duration: ["p(99)<500"],
  },
};

const placed: Placed[] = [];
let iteration = 0;

export default function mixed(): void {
  const turn = iteration++ % 10;
  const earlier = placed[Math.floor(Math.random() * placed.length)];
  if (earlier && turn === LOOKS_UP) lookUp(earlier);
  else if (earlier && turn === CANCELS) cancel(earlier);
  else remember(place(userOf(), itemOf()).placed);
}

function remember(order: Placed | undefined): void {
  if (!order) return;
  placed.push(order);
  if (placed.length > REMEMBERED) placed.shift();
}
