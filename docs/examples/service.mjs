// A processing service in one page; any AMQP client can be one. It claims each part, works on it,
// and reports it done. docs/fulfilment.md has the protocol. Run it with the broker of one region:
//
//   AMQP_URL=amqp://… SERVICE=gallery node docs/examples/service.mjs
import { randomUUID } from "node:crypto";
import amqp from "amqplib";

const service = process.env.SERVICE ?? "gallery";
const me = `${service}-${randomUUID()}`;
const connection = await amqp.connect(process.env.AMQP_URL);
// The broker refuses a message whose userId is not the connection's user, so a claim's is genuine.
const userId = decodeURIComponent(new URL(process.env.AMQP_URL).username) || "guest";
const channel = await connection.createConfirmChannel();

// Answers arrive in a queue of our own, with one word for each row of our message.
const waiting = new Map();
await channel.assertQueue(`gateway.${me}`, { exclusive: true, durable: false, autoDelete: true });
await channel.consume(
  `gateway.${me}`,
  ({ content }) => {
    for (const [messageId, words] of JSON.parse(content.toString()).batches) {
      // "+claimed" is new, "=claimed" is a repeat, "-cancelled" is a refusal with its reason.
      waiting.get(messageId)?.(words.split(",")[0].slice(1));
      waiting.delete(messageId);
    }
  },
  { noAck: true },
);

/** Sends a claim or a report to the order's shard until it is answered. Repeats change nothing. */
async function tell(part, word) {
  // Columns of one row each; more rows in a message are more values in each column.
  const message = {
    v: 1,
    kind: "f",
    order: [`${part.user} ${part.id}`],
    at: [Date.now()],
    generation: [part.generation],
    part: [part.part],
    parts: [part.of],
    report: [word],
    service: [service],
  };
  while (true) {
    const messageId = randomUUID();
    const answer = new Promise((resolve) => {
      waiting.set(messageId, resolve);
      setTimeout(() => resolve(undefined), 10_000).unref();
    });
    channel.publish("claims", String(part.shard), Buffer.from(JSON.stringify(message)), {
      persistent: true,
      messageId,
      appId: me,
      userId,
      type: "orders.v1",
    });
    const heard = await answer;
    if (heard !== undefined) return heard;
    waiting.delete(messageId);
  }
}

/** The work. It may be requested twice, if we die before we report it; the key detects that. */
const packed = new Set();
async function work(part, key) {
  if (packed.has(key)) return;
  packed.add(key);
  console.log(`packing ${key}: ${part.lines.map(({ sku, qty }) => `${qty} × ${sku}`).join(", ")}`);
}

// Sluice creates the queue when a route names the service; we only consume it.
const queue = `fulfilment.${service}`;
await channel.prefetch(16);
await channel.consume(queue, async (message) => {
  for (const part of JSON.parse(message.content.toString())) {
    if ((await tell(part, "claim")) !== "claimed") continue; // cancelled, or another service's
    await work(part, `${part.user}/${part.id}/${part.generation}/${part.part}`);
    await tell(part, "done");
  }
  channel.ack(message);
});
console.log(`${service} takes parts from ${queue}`);
