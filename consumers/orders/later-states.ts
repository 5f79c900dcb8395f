// The state changes that an entry made to orders that were decided or parked before it.
import { type Entry, isOrderStep } from "../../core/domain/entry.ts";

/** An order's new state. */
export interface LaterState {
  /** The gateway that accepted the order. */
  readonly gateway: string;
  readonly user: string;
  readonly id: string;
  readonly state: string;
}

export function laterStates({ released, steps }: Entry): LaterState[] {
  const changes: LaterState[] = released.map(({ gateway, order, state }) => {
    return { gateway, user: order.user, id: order.id, state };
  });
  for (const step of steps) {
    if (!isOrderStep(step) || !STATES_OF_STEPS.has(step.what)) continue;
    const { gateway, user, id, what } = step;
    changes.push({ gateway, user, id, state: what });
  }
  return changes;
}

const STATES_OF_STEPS: ReadonlySet<string> = new Set([
  "paid",
  "payment_failed",
  "cancelled",
  "expired",
  "dispatched",
]);
