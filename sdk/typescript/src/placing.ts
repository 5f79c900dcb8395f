// Places one order exactly once, whatever carries it: attempts are repeated with the same id until
// one is answered, and an order in doubt is looked up.

import { type Gateways, isObject, type Reply } from "./gateways.ts";
import { uuidV7 } from "./ids.ts";
import { type Accepted, type Draft, detailsOf, type NewOrder, readOf } from "./order.ts";
import { type Estimate, Refused } from "./problem.ts";
import type { ServerClock } from "./server-clock.ts";
import { type Answer, settle, type Waiting } from "./settle.ts";

export interface Placed {
  readonly draft: Draft;
  readonly status: "accepted" | "sold_out";
  readonly accepted: Accepted;
}

export interface PlaceOptions extends Waiting {
  /**
   * An earlier run of the program may have sent this draft. A refusal is then no proof that the
   * order does not exist: it is looked up.
   */
  readonly again?: boolean;
}

/** Carries an order to a gateway and brings its answer. */
export type Carrier = (draft: Draft, signal: AbortSignal) => Promise<Answer<Accepted>>;

export interface Placing {
  readonly gateways: Gateways;
  readonly clock: ServerClock;
  readonly carrier: Carrier;
  readonly deadlineMs: number;
}

/**
 * An order that comes with its own id keeps it. One without gets another id if the gateway's clock
 * differs from ours and no attempt can have had an effect.
 */
export async function place(
  placing: Placing,
  order: NewOrder | Draft,
  waiting: PlaceOptions,
): Promise<Placed> {
  if ("id" in order && order.id !== undefined) return placeDraft(placing, order, waiting);
  const make = () => ({ ...order, id: uuidV7(placing.clock.now()) });
  try {
    return await placeDraft(placing, make(), waiting);
  } catch (error) {
    const wrongTime =
      error instanceof Refused && (error.code === "future_id" || error.code === "stale_id");
    if (!wrongTime || !placing.clock.known) throw error;
    return placeDraft(placing, make(), waiting);
  }
}

function placeDraft(
  placing: Placing,
  draft: Draft,
  { again = false, ...waiting }: PlaceOptions,
): Promise<Placed> {
  const { gateways, carrier, deadlineMs } = placing;
  return settle<Placed>({
    deadlineMs,
    ...waiting,
    earlier: again ? "unknown" : "none",
    what: `order ${draft.id}`,
    orderId: draft.id,
    attempt: async (signal, earlier) => {
      const answer = await carrier(draft, signal);
      if (answer.kind === "done")
        return { kind: "done", value: { draft, status: "accepted", accepted: answer.value } };
      // After an attempt in doubt it says nothing about that attempt.
      if (answer.kind === "refused" && answer.problem.code === "sold_out" && earlier === "none")
        return { kind: "done", value: { draft, status: "sold_out", accepted: {} } };
      return answer;
    },
    lookUp: async (signal) => {
      const answer = await gateways.attempt(readOf(draft.id, draft.user), signal, detailsOf);
      return answer.kind === "done"
        ? { kind: "done", value: { draft, status: "accepted", accepted: {} } }
        : answer;
    },
  });
}

/** Carries an order by POST /v1/orders. */
export function byHttp(gateways: Gateways): Carrier {
  return (draft, signal) =>
    gateways.attempt({ method: "POST", path: "/v1/orders", body: draft }, signal, acceptedOf);
}

function acceptedOf({ body }: Reply): Accepted | undefined {
  if (!isObject(body) || body.status !== "accepted") return undefined;
  return {
    ...(isObject(body.estimate) ? { estimate: body.estimate as unknown as Estimate } : {}),
    ...(typeof body.region === "string" ? { region: body.region } : {}),
  };
}
