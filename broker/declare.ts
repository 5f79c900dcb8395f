// Declares a topology. Declaring something that already exists changes nothing.
import type { ChannelModel } from "amqplib";
import { messageOf } from "../core/domain/message-of.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import { TopologyConflict } from "./errors.ts";
import { PLACE_OF_NEW_QUEUES, type Queue, type Topology } from "./topology.ts";

/** Accounts without the permission only check that everything exists; a worker declares it. */
export async function declare(
  runtime: Runtime,
  model: ChannelModel,
  topology: Topology,
  region: string,
): Promise<void> {
  try {
    await declareAll(runtime, model, topology, region);
  } catch (error) {
    if (!isAccessRefused(error)) throw error;
    await lookForAll(runtime, model, topology, region);
  }
}

async function lookForAll(
  runtime: Runtime,
  model: ChannelModel,
  topology: Topology,
  region: string,
): Promise<void> {
  for (const { name } of topology.exchanges)
    await step(runtime, model, region, `exchange '${name}'`, (ch) => ch.checkExchange(name));
  for (const { name } of topology.queues)
    await step(runtime, model, region, `queue '${name}'`, (ch) => ch.checkQueue(name));
}

async function declareAll(
  runtime: Runtime,
  model: ChannelModel,
  topology: Topology,
  region: string,
): Promise<void> {
  for (const { name, type, alternate } of topology.exchanges) {
    const options = alternate === undefined ? {} : { alternateExchange: alternate };
    await step(runtime, model, region, `exchange '${name}'`, (ch) =>
      ch.assertExchange(name, type, options),
    );
  }
  for (const queue of topology.queues) {
    await assertQueue(runtime, model, queue, region);
  }
  for (const { queue, exchange, key } of topology.bindings) {
    await step(runtime, model, region, `binding of '${queue}' to '${exchange}'`, (ch) =>
      ch.bindQueue(queue, exchange, key),
    );
  }
}

/**
 * Only checks that it exists if this user may not declare it. If it does not, the error is the
 * refusal: somebody else has to declare it.
 */
export async function declareQueue(
  runtime: Runtime,
  model: ChannelModel,
  queue: Queue,
  region: string,
): Promise<void> {
  try {
    await assertQueue(runtime, model, queue, region);
  } catch (error) {
    if (!isAccessRefused(error)) throw error;
    const { name } = queue;
    const check = step(runtime, model, region, `queue '${name}'`, (ch) => ch.checkQueue(name));
    await check.catch((missing: unknown) => {
      throw codeOf(missing) === NOT_FOUND ? error : missing;
    });
  }
}

async function assertQueue(
  runtime: Runtime,
  model: ChannelModel,
  { name, arguments: args }: Queue,
  region: string,
): Promise<void> {
  const declared = (more: Queue["arguments"]) =>
    step(runtime, model, region, `queue '${name}'`, (ch) =>
      ch.assertQueue(name, { durable: true, arguments: { ...args, ...more } }),
    );
  try {
    await declared(PLACE_OF_NEW_QUEUES);
  } catch (error) {
    if (!(error instanceof TopologyConflict)) throw error;
    await declared({}); // of an earlier release
  }
}

export function isAccessRefused(error: unknown): boolean {
  return codeOf(error) === ACCESS_REFUSED;
}

const codeOf = (error: unknown) => (error as { code?: number }).code;

type Channel = Awaited<ReturnType<ChannelModel["createChannel"]>>;

const ACCESS_REFUSED = 403;
const NOT_FOUND = 404;
const PRECONDITION_FAILED = 406;

/** One declaration on a channel of its own: the broker closes the channel when it rejects one. */
async function step(
  runtime: Runtime,
  model: ChannelModel,
  region: string,
  what: string,
  run: (channel: Channel) => Promise<unknown>,
): Promise<void> {
  const channel = await answered(runtime, model, model.createChannel());
  channel.on("error", () => undefined); // the rejection below reports it
  try {
    await answered(runtime, model, run(channel));
    await closeChannel(runtime, channel);
  } catch (error) {
    if (codeOf(error) !== PRECONDITION_FAILED) throw error;
    throw new TopologyConflict(
      `region '${region}': the ${what} exists with settings that differ from Sluice's ` +
        `(${messageOf(error)}). Let it run empty, delete it (rabbitmqctl delete_queue NAME), ` +
        "and start again; it is then declared as it should be.",
    );
  }
}
