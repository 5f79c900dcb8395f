// The state changes that an entry made to orders that were decided or parked before it.
import { type Entry, isOrderStep } from "../../core/domain/entry.ts";

/** The new states, each with the gateway that accepted the order. */
export function laterStates({
  released,
  steps,
}: Entry): [gateway: string, user: string, id: string, state: string][] {
  const changes: [string, string, string, string][] = released.map(({ gateway, order, state }) => [
    gateway,
    order.user,
    order.id,
    state,
  ]);
  for (const step of steps) {
    if (!isOrderStep(step) || !STATES_OF_STEPS.has(step.what)) continue;
    changes.push([step.gateway, step.user, step.id, step.what]);
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
