// A malformed payment request is dead-lettered alone: the others in its message continue. The
// letter names the attempt if the request does, so that it can be redriven.
import type { Publisher } from "../../broker/publisher.ts";
import { PAYMENTS_DEAD } from "../../broker/topology.ts";
import { type Attempt, isAttempt } from "../../core/domain/charge.ts";

/** Enough of the text to see what is wrong. */
const KEPT_TEXT = 1_024;

/** Whether the dead letters have it. */
export async function deadLetterRequest(publisher: Publisher, value: unknown): Promise<boolean> {
  const named = (typeof value === "object" && value !== null ? value : {}) as Partial<Attempt>;
  const { user, id, generation, attempt } = named;
  const letter = {
    reason: "malformed payment request",
    ...(isAttempt(named) ? { user, id, generation, attempt } : {}),
    request: JSON.stringify(value).slice(0, KEPT_TEXT),
  };
  const body = Buffer.from(JSON.stringify(letter));
  return (await publisher.publish("", PAYMENTS_DEAD, body)) === "confirmed";
}
