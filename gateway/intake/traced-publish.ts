// A span for each order whose request names a recorded trace: from its acceptance until the broker
// has answered.
import { readMessage } from "../../core/domain/message.ts";
import { mayBeTraced, tracedOrders } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { LanesOptions } from "./lanes.ts";

type Publish = LanesOptions["publish"];

/**
 * `publish`, plus the spans of what it published. `clock` is the one that stamps acceptance, Unix
 * ms.
 */
export function tracedPublish(publish: Publish, spans: SpanRecorder, clock: () => number): Publish {
  return async (shard, body, batch) => {
    const orders = mayBeTraced(body) ? tracedOrders(readMessage(body.toString())) : [];
    const outcome = await publish(shard, body, batch);
    for (const { user, id, traceparent, acceptedAtMs } of orders) {
      spans.record({
        name: "accept",
        traceparent,
        startMs: acceptedAtMs,
        endMs: Math.max(acceptedAtMs, clock()),
        attributes: {
          "sluice.user": user,
          "sluice.order": id,
          "sluice.shard": shard,
          "sluice.batch": batch,
          "sluice.outcome": outcome,
        },
        ...(outcome === "confirmed" ? {} : { failed: outcome }),
      });
    }
    return outcome;
  };
}
