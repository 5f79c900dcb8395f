// Reads orders as they were accepted, from the messages that the ledger keeps. A message is fetched
// once for all of its orders that are asked for.
import type { PlacedOrder } from "../core/domain/row.ts";
import { placedIn } from "./row-in.ts";
import type { Runner } from "./runner.ts";

/** Where an order lies: a message, and the row in it. */
export interface Place {
  readonly message: number;
  readonly row: number;
}

/** Bodies held in memory at a time: up to 300 kB each. */
const MESSAGES_AT_ONCE = 25;

/** Columns of `orders o` that placeOf() reads. */
export const PLACE = "o.message, o.idx";

export function placeOf({ message, idx }: Record<string, unknown>): Place {
  return { message: Number(message), row: Number(idx) };
}

/** Result i belongs to place i. */
export async function placedOrders(tx: Runner, places: readonly Place[]): Promise<PlacedOrder[]> {
  const placed: PlacedOrder[] = [];
  const messages = [...new Set(places.map(({ message }) => message))];
  for (let from = 0; from < messages.length; from += MESSAGES_AT_ONCE) {
    const some = messages.slice(from, from + MESSAGES_AT_ONCE);
    const text = `SELECT id, body FROM messages WHERE id IN (${some.map(() => "?").join(",")})`;
    const rows = await tx.run(text, some);
    const bodies = new Map(rows.map(({ id, body }) => [Number(id), String(body)]));
    places.forEach(({ message, row }, i) => {
      const body = bodies.get(message);
      if (body !== undefined) placed[i] = placedIn(body, row);
    });
  }
  return placed;
}
