// Records a span for each order with a sampled trace: from its acceptance until the broker's
// answer.
import { readMessage } from "../../core/domain/message.ts";
import { mayBeTraced, tracedOrders } from "../../core/domain/trace.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import type { LanesOptions } from "./lanes.ts";

type Publish = LanesOptions["publish"];

/** `publish` with spans. `clock` is the clock that stamps acceptance, Unix ms. */
export function tracedPublish(publish: Publish, spans: SpanRecorder, clock: () => number): Publish {
  return async (shard, body, number, batch) => {
    const orders = mayBeTraced(body) ? tracedOrders(readMessage(body.toString())) : [];
    const outcome = await publish(shard, body, number, batch);
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
          "sluice.batch": number,
          "sluice.outcome": outcome,
        },
        ...(outcome === "confirmed" ? {} : { failed: outcome }),
      });
    }
    return outcome;
  };
}
