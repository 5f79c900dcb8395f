// The span of each traced order's decision: from the call of Redis until the ledger has it.
import { tracedOrders } from "../core/domain/trace.ts";
import { splitWords } from "../core/domain/words.ts";
import type { SpanRecorder } from "../core/spans.ts";
import type { Work } from "./work.ts";

/** Times are Redis's, Unix ms. */
export function recordDecisions(
  spans: SpanRecorder,
  shard: number,
  work: Work,
  outcomes: string,
  startMs: number,
  nowMs: number,
): void {
  const words = splitWords(outcomes);
  for (const { user, id, traceparent, at } of tracedOrders(work.body)) {
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.shard": shard,
      "sluice.region": work.region,
      "sluice.outcome": words[at],
    };
    spans.record({
      ...{ name: "decide", traceparent, attributes },
      ...{ startMs, endMs: Math.max(startMs, nowMs) },
    });
  }
}
