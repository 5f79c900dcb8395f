// Declares a topology; declaring what is there already changes nothing.
import type { ChannelModel } from "amqplib";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import { TopologyConflict } from "./errors.ts";
import type { Queue, Topology } from "./topology.ts";

export async function declare(
  model: ChannelModel,
  topology: Topology,
  region: string,
): Promise<void> {
  for (const { name, type, alternate } of topology.exchanges) {
    const options = alternate === undefined ? {} : { alternateExchange: alternate };
    await step(model, region, `exchange '${name}'`, (ch) => ch.assertExchange(name, type, options));
  }
  for (const queue of topology.queues) {
    await declareQueue(model, queue, region);
  }
  for (const { queue, exchange, key } of topology.bindings) {
    await step(model, region, `binding of '${queue}' to '${exchange}'`, (ch) =>
      ch.bindQueue(queue, exchange, key),
    );
  }
}

export async function declareQueue(
  model: ChannelModel,
  { name, arguments: args }: Queue,
  region: string,
): Promise<void> {
  await step(model, region, `queue '${name}'`, (ch) =>
    ch.assertQueue(name, { durable: true, arguments: args }),
  );
}

type Channel = Awaited<ReturnType<ChannelModel["createChannel"]>>;

const PRECONDITION_FAILED = 406;

/** One declaration on a channel of its own: the broker closes the channel of a declaration it refuses. */
async function step(
  model: ChannelModel,
  region: string,
  what: string,
  run: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  const channel = await answered(model, model.createChannel());
  channel.on("error", () => undefined); // the rejection below says it
  try {
    await answered(model, run(channel));
    await closeChannel(channel);
  } catch (error) {
    if ((error as { code?: number }).code !== PRECONDITION_FAILED) throw error;
    throw new TopologyConflict(
      `region '${region}': the ${what} exists with other settings than Sluice declares (${(error as Error).message}). ` +
        "Let it run empty, delete it (rabbitmqctl delete_queue NAME), and start again; it is declared anew.",
    );
  }
}
