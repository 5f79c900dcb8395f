// Whether a broker serves, as clients see it. A node may accept connections after its database has
// stopped, and close each of them; or open them after its memory monitor has, and declare no queue.
import { connect } from "amqplib";
import type { Runtime } from "../core/runtime/runtime.ts";
import { answered } from "./answer.ts";
import { closeConnection } from "./close.ts";
import { ratesQueue } from "./topology.ts";

/**
 * Rejects unless a connection opens and declares a queue of its own, each in time. An alarm is no
 * failure. `url`: of a worker, or of somebody who may declare anything.
 */
export async function probeBroker(runtime: Runtime, url: string, limitMs: number): Promise<void> {
  const model = await connect(url, { timeout: limitMs });
  model.on("error", () => undefined); // the rejection below reports it
  try {
    const channel = await answered(runtime, model, model.createChannel(), limitMs);
    channel.on("error", () => undefined);
    const queue = channel.assertQueue(ratesQueue(`probe-${runtime.uuid()}`), {
      ...{ exclusive: true, durable: false, autoDelete: true },
    });
    await answered(runtime, model, queue, limitMs);
  } finally {
    await closeConnection(runtime, model);
  }
}
