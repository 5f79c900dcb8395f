// How many requests a message to each target holds.

/** Prefix of the queues of services, by name. */
export const SERVICE_QUEUES = "fulfilment.";

/**
 * Requests per message, and so per follow-up: a message costs broker and worker 240 µs of CPU
 * (docs/decisions/0007-steps-through-the-shard.md). Services are told how many parts to expect
 * (docs/fulfilment.md); payment workers limit their calls themselves.
 */
const PARTS_PER_MESSAGE = 20;
const REQUESTS_PER_MESSAGE = 100;

/** The most requests in a message to this target; the payments' queues need no exchange. */
export function mostRequests(exchange: string, routingKey: string): number {
  const isPart = exchange !== "" || routingKey.startsWith(SERVICE_QUEUES);
  return isPart ? PARTS_PER_MESSAGE : REQUESTS_PER_MESSAGE;
}
