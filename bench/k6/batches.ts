// One request with a batch of orders, and the result of each: accepted, or refused by problem code.
import http from "k6/http";
import { Counter } from "k6/metrics";
import { BATCH, HEADERS, order, URL } from "./orders.ts";

const accepted = new Counter("orders_accepted");
const refused = new Counter("orders_refused");
const unanswered = new Counter("orders_unanswered");

interface Answer {
  readonly results: readonly {
    readonly status?: string;
    readonly problem?: { readonly code: string };
  }[];
}

export function placeBatch(): void {
  const orders = Array.from({ length: BATCH }, order);
  const response = http.post(`${URL}/v1/orders/batch`, `{"orders":[${orders.join(",")}]}`, {
    headers: HEADERS,
  });
  if (response.status !== 200) {
    // The whole request was refused (503, 429) or not answered.
    if (response.status === 0) unanswered.add(BATCH);
    else refused.add(BATCH, { code: String(response.status) });
    return;
  }
  const taken = String(response.body).split('"status":"accepted"').length - 1;
  accepted.add(taken);
  // Parsing costs k6 more than the request, so it parses only answers with refusals.
  if (taken === BATCH) return;
  for (const { problem } of (response.json() as unknown as Answer).results) {
    if (problem) refused.add(1, { code: problem.code });
  }
}

// Refusals are answers: only an unanswered request is a failure.
http.setResponseCallback(http.expectedStatuses(200, 202, 429, 503));
