// The gateway's own code without network and broker, against parsing the same frames and writing
// the same rows as JSON.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { gatewayCost } from "../gateway.ts";
import { bodies } from "../intake/orders.ts";
import type { LimitRow } from "./row.ts";

const TOGETHER = [400, 50, 8];
const ROUNDS = 300;
const FLOOR = "JSON.parse of the frame, JSON.stringify of the order";

export async function gatewayRows(): Promise<LimitRow[]> {
  const rows: LimitRow[] = [];
  for (const together of TOGETHER) {
    const { accept, message, answer, outcome } = await gatewayCost("websocket", together);
    const micros = (accept + message + answer + outcome) / 1_000;
    const what = "WebSocket frame to message, confirm to answer, push to outcome";
    const floorMicros = parseMicros(together);
    rows.push({ stage: "gateway", what, together, micros, floor: FLOOR, floorMicros });
  }
  return rows;
}

/** The best of many rounds, as the gateway's figure is. */
function parseMicros(together: number): number {
  const texts = bodies(false).map((body, i) => {
    const order = `{"id":"${realRuntime.uuidV7()}","user":"user-${i}",${body}`;
    return `{"type":"order","ref":"0","order":${order}}`;
  });
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = realRuntime.monotonicMs();
    const orders = Array.from(
      { length: together },
      (_, i) => (JSON.parse(texts[i % texts.length] as string) as { order: unknown }).order,
    );
    JSON.stringify(orders);
    best = Math.min(best, realRuntime.monotonicMs() - startedMs);
  }
  return (best * 1_000) / together;
}
