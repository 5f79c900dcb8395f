// The span of each traced order's decision: from the call of Redis until the ledger has it.
import { readMessage } from "../../core/domain/message.ts";
import { mayBeTraced, tracedOrders } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
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
  // Of format 0 are only messages with rows that make no sense: their traces end at the gateway.
  if (!mayBeTraced(work.body) || isFormat0(work.body)) return;
  // A row without a word may be anything: it was set apart.
  const traced = tracedOrders(readMessage(work.body), (at) => words[at] !== "");
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
