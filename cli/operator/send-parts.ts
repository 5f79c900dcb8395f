// Sends parts on. Those that a service has claimed go to its own queue, the others where the routes
// lead: another service would be told that a claimed part is taken, and drop it.
import type { DeadLetter } from "../../broker/dead-letters.ts";
import type { Publisher, PublishOutcome } from "../../broker/publisher.ts";
import { FULFILMENT_EXCHANGE, serviceQueueName } from "../../broker/topology.ts";
import { isPart, type Part } from "../../core/domain/part.ts";
import type { Ledger } from "../../ledger/contract.ts";

export type Holders = Pick<Ledger, "orderStory">;
type Message = Pick<DeadLetter, "routingKey" | "type" | "messageId" | "body">;

/** Anything but `confirmed`: some may not have been sent, and all may be sent again. */
export async function sendParts(
  ledger: Holders,
  publisher: Publisher,
  message: Message,
): Promise<PublishOutcome> {
  const { routingKey, type, messageId, body } = message;
  const shares = await sharesOf(ledger, body);
  for (const [holder, parts] of shares) {
    const bytes = shares.size === 1 ? body : Buffer.from(JSON.stringify(parts));
    const [exchange, key] =
      holder === NOBODY ? [FULFILMENT_EXCHANGE, routingKey] : ["", serviceQueueName(holder)];
    const outcome = await publisher.publish(exchange, key, bytes, { type, messageId });
    if (outcome !== "confirmed") return outcome;
  }
  return "confirmed";
}

/** Whether a service has claimed all parts of a message. */
export async function hasClaimed(ledger: Holders, service: string, body: Buffer): Promise<boolean> {
  return [...(await sharesOf(ledger, body)).keys()].every((holder) => holder === service);
}

const NOBODY = "";

/** The parts of a message by the service that has claimed them. */
async function sharesOf(ledger: Holders, body: Buffer): Promise<Map<string, Part[]>> {
  const shares = new Map<string, Part[]>();
  for (const part of partsIn(body)) {
    const holder = await holderOf(ledger, part);
    const share = shares.get(holder);
    if (share) share.push(part);
    else shares.set(holder, [part]);
  }
  return shares.size > 0 ? shares : new Map([[NOBODY, []]]);
}

async function holderOf(ledger: Holders, { user, id, generation, part }: Part): Promise<string> {
  const story = await ledger.orderStory(user, id);
  const found = story?.parts.find((p) => p.generation === generation && p.part === part);
  return found?.status === "claimed" ? found.service : NOBODY;
}

/** None of a message that is not a list of parts: it is sent on as it is. */
function partsIn(body: Buffer): readonly Part[] {
  try {
    const parts = JSON.parse(body.toString()) as unknown;
    return Array.isArray(parts) && parts.every(isPart) ? parts : [];
  } catch {
    return [];
  }
}
