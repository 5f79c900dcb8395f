// The span of each traced order's decision: from the call of Redis until the ledger has it.
import { tracedOrders } from "../../core/domain/trace.ts";
import { splitWords } from "../../core/domain/words.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { Work } from "./work.ts";

export function recordDecisions(
  spans: SpanRecorder,
  work: Work,
  outcomes: string,
  shard: number,
  startMs: number,
  nowMs: number,
): void {
  const traced = tracedOrders(work.body);
  if (traced.length === 0) return;
  const words = splitWords(outcomes);
  for (const { user, id, traceparent, at } of traced) {
    const attributes = {
      "sluice.user": user,
      "sluice.order": id,
      "sluice.shard": shard,
      "sluice.region": work.region,
      "sluice.outcome": words[at],
    };
    spans.record({
      name: "decide",
      traceparent,
      startMs,
      endMs: Math.max(startMs, nowMs),
      attributes,
    });
  }
}
