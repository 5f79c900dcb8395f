// Records a span for each traced order's decision, from the call to Redis until the ledger has it.
// Traces are best effort: whatever a message holds, its orders are settled without them.
import { readMessage } from "../../core/domain/message.ts";
import { mayBeTraced, tracedOrders } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";
import { isFormat0 } from "./sift.ts";
import type { Work } from "./work.ts";

export function recordDecisions(
  spans: SpanRecorder,
  work: Work,
  words: readonly string[],
  shard: number,
  startMs: number,
  nowMs: number,
): void {
  // Only messages with unsound rows are still in format 0. Their traces end at the gateway.
  if (!mayBeTraced(work.body) || isFormat0(work.body)) return;
  try {
    // A row without a word was set apart, and may hold anything.
    const traced = tracedOrders(readMessage(work.body), (at) => words[at] !== "");
    for (const { user, id, traceparent, at } of traced) {
      const attributes = {
        "sluice.user": user,
        "sluice.order": id,
        "sluice.shard": shard,
        "sluice.region": work.region,
        "sluice.outcome": words[at],
      };
      const endMs = Math.max(startMs, nowMs);
      spans.record({ name: "decide", traceparent, startMs, endMs, attributes });
    }
  } catch {
    countIgnored("spans_flush");
  }
}
