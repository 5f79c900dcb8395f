// What an entry changed for orders that were decided, or parked, before it.
import { type Entry, isOrderStep } from "../../core/domain/entry.ts";

/**
 * New states of orders that were decided, or parked, before: those who took them in are told one by
 * one.
 */
export function laterStates({
  released,
  steps,
}: Entry): [gateway: string, user: string, id: string, state: string][] {
  const changes: [string, string, string, string][] = released.map(([gateway, row, state]) => [
    gateway,
    row[1],
    row[2],
    state,
  ]);
  for (const step of steps) {
    if (!isOrderStep(step) || !STATES_OF_STEPS.has(step[0])) continue;
    changes.push([step[5], step[1], step[2], step[0]]);
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
