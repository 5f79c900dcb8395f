// Many sockets, each sending orders one after the other in separate frames, within its credit.
import { Counter, Trend } from "k6/metrics";
import type { Options } from "k6/options";
import { WebSocket } from "k6/websockets";
import { HEADERS, order, RATE, SECONDS, SUMMARY, URL } from "./orders.ts";

/**
 * Thirty orders for each request of the other scripts: an order here costs k6 what a request costs
 * there.
 */
const SOCKETS = 100;
const EVERY_MS = Math.max(5, Math.round((1_000 * SOCKETS) / (RATE * 30)));

const accepted = new Counter("orders_accepted");
const refused = new Counter("orders_refused");
const unanswered = new Counter("orders_unanswered");
const decided = new Counter("orders_decided");
const acked = new Trend("order_ack_ms", true);

export const options: Options = {
  summaryTrendStats: SUMMARY,
  scenarios: {
    sockets: {
      executor: "per-vu-iterations",
      vus: SOCKETS,
      iterations: 1,
      maxDuration: `${SECONDS + 30}s`,
    },
  },
  thresholds: {
    dropped_iterations: ["count<1"],
    orders_refused: ["count<1"],
    orders_unanswered: ["count<1"],
    // Half of what should be sent: sockets that never opened refuse nothing either.
    orders_accepted: [`count>${(SECONDS * 1_000 * SOCKETS) / EVERY_MS / 2}`],
    order_ack_ms: ["p(99)<1000"],
  },
};

interface Frame {
  readonly type: string;
  readonly credit?: number;
  readonly acks?: readonly (readonly [ref: string, id: string])[];
  readonly nacks?: readonly unknown[];
  readonly outcomes?: readonly unknown[];
}

export default function socket(): void {
  const ws = new WebSocket(`${URL.replace("http", "ws")}/v1/ws`, undefined, {
    headers: { authorization: HEADERS.authorization },
  });
  const sentMs = new Map<string, number>();
  let credit = 0;
  let refs = 0;
  let sending: ReturnType<typeof setInterval> | undefined;
  const send = () => {
    if (sentMs.size >= credit) return;
    const ref = String(refs++);
    sentMs.set(ref, Date.now());
    ws.send(`{"type":"order","ref":"${ref}","order":${order()}}`);
  };
  ws.onmessage = (event) => {
    const { data } = event as { data: unknown };
    const frame = JSON.parse(String(data)) as Frame;
    if (frame.credit !== undefined) credit = frame.credit;
    if (frame.type === "ready") {
      sending = setInterval(send, EVERY_MS);
      setTimeout(() => clearInterval(sending), SECONDS * 1_000);
      setTimeout(() => ws.close(), SECONDS * 1_000 + 3_000);
    }
    for (const [ref] of frame.acks ?? []) {
      acked.add(Date.now() - (sentMs.get(ref) ?? Date.now()));
      sentMs.delete(ref);
      accepted.add(1);
    }
    refused.add((frame.nacks ?? []).length);
    for (const nack of frame.nacks ?? []) sentMs.delete((nack as [string])[0]);
    decided.add((frame.outcomes ?? []).length);
  };
  ws.onclose = () => unanswered.add(sentMs.size);
  ws.onerror = () => unanswered.add(1);
}
