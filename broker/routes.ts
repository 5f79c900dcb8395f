// Routes as bindings: a service's queue is bound to the exchange `fulfilment` for its categories.
// Routes change while parts are in flight, so the new binding is made before the old one is
// removed: for a moment a part may reach both services, and only one can claim it.
import type { ChannelModel } from "amqplib";
import { partKeyOf, type Route, serviceOf } from "../core/domain/part.ts";
import { ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { type DeadLetter, isGivenUp, walkDeadLetters } from "./dead-letters.ts";
import { declareQueue } from "./declare.ts";
import { BrokerUnavailable } from "./errors.ts";
import { depth } from "./inspect.ts";
import type { Publisher, PublishOutcome } from "./publisher.ts";
import {
  FULFILMENT_EXCHANGE,
  serviceQueue,
  serviceQueueName,
  serviceWith,
  UNROUTED,
} from "./topology.ts";

export interface Routing {
  /** `region category` → service; an empty region means all regions. */
  readonly routes: ReadonlyMap<string, string>;
  /** Every service that has ever had a route for a category. */
  readonly former: readonly { readonly category: string; readonly service: string }[];
  /** The regions that orders come from. */
  readonly regions: readonly string[];
}

export function routingOf(
  routes: readonly Route[],
  former: Routing["former"],
  regions: readonly string[],
): Routing {
  return {
    routes: new Map(routes.map((r) => [`${r.region} ${r.category}`, r.service])),
    former,
    regions,
  };
}

/**
 * Declares the queue of a service again, which somebody has deleted, or which this region never
 * had. false: it is no service's queue, or cannot be declared now.
 */
export async function restoreQueue(connection: BrokerConnection, queue: string): Promise<boolean> {
  const { model, runtime, region } = connection;
  const service = serviceWith(queue);
  if (!model || service === undefined) return false;
  const declared = declareQueue(runtime, model, serviceQueue(service), region).then(() => true);
  return (await ignore(declared, "queue_restore")) ?? false;
}

/** Brings one region's broker in line; those of former routes are removed after. */
export async function applyRoutes(connection: BrokerConnection, routing: Routing): Promise<void> {
  const { model, region } = connection;
  if (!model) throw new BrokerUnavailable(`no connection to the broker of ${region}`);
  const wanted = bindings(routing);
  for (const service of new Set([...routing.routes.values()]))
    await declareQueue(connection.runtime, model, serviceQueue(service), region);
  await onChannel(connection.runtime, model, async (channel) => {
    for (const { service, key } of wanted.values())
      await answered(
        connection.runtime,
        model,
        channel.bindQueue(serviceQueueName(service), FULFILMENT_EXCHANGE, key),
      );
  });
  for (const { category, service } of routing.former) {
    for (const key of keysOf(routing, category)) {
      if (wanted.has(`${service} ${key}`)) continue;
      // Its queue may never have been declared in this region: then there is nothing to unbind.
      const unbound = onChannel(connection.runtime, model, (channel) =>
        answered(
          connection.runtime,
          model,
          channel.unbindQueue(serviceQueueName(service), FULFILMENT_EXCHANGE, key),
        ),
      );
      await ignore(unbound, "route_unbind");
    }
  }
}

/** `service key` → binding. */
function bindings(routing: Routing): Map<string, { service: string; key: string }> {
  const found = new Map<string, { service: string; key: string }>();
  const categories = new Set(
    [...routing.routes.keys()].map((name) => name.slice(name.indexOf(" ") + 1)),
  );
  for (const category of categories) {
    for (const { region, key } of places(routing, category)) {
      const service = serviceOf(routing.routes, region, category);
      if (service !== undefined) found.set(`${service} ${key}`, { service, key });
    }
  }
  return found;
}

/** One key for all regions, or one for each region if some region has a route of its own. */
function places(routing: Routing, category: string): { region: string; key: string }[] {
  const own = [...routing.routes.keys()].some(
    (name) => !name.startsWith(" ") && name.slice(name.indexOf(" ") + 1) === category,
  );
  if (!own) return [{ region: "", key: partKeyOf("*", category) }];
  return routing.regions.map((region) => ({ region, key: partKeyOf(region, category) }));
}

function keysOf({ regions }: Routing, category: string): string[] {
  return ["*", ...regions].map((region) => partKeyOf(region, category));
}

/** What became of the messages that were read. */
export interface Rerouted {
  readonly moved: number;
  readonly kept: number;
  /** Of those kept: they have a route, but its queue did not take them. */
  readonly refused: number;
  /** Of those kept: a service gave them up. */
  readonly givenUp: number;
}

export interface From {
  readonly queue: string;
  /** Sends a letter on; `kept`: it has to stay. */
  readonly send: (letter: DeadLetter, publisher: Publisher) => Promise<PublishOutcome | "kept">;
}

/** Parts without a route. */
const FROM_UNROUTED: From = {
  queue: UNROUTED,
  send: ({ routingKey, type, messageId, body }, publisher) =>
    publisher.publish(FULFILMENT_EXCHANGE, routingKey, body, { type, messageId }),
};

/** Republishes parts in a queue that now have a route to another queue. */
export async function reroute(
  connection: BrokerConnection,
  publisher: Publisher,
  { routes }: Routing,
  { queue, send }: From = FROM_UNROUTED,
): Promise<Rerouted> {
  const waiting = (await depth(connection, queue))?.ready ?? 0;
  let kept = 0;
  let refused = 0;
  let givenUp = 0;
  if (waiting === 0) return { moved: 0, kept, refused, givenUp };
  const moved = await walkDeadLetters(connection, queue, waiting, async (letter) => {
    kept++;
    if (isGivenUp(letter)) {
      givenUp++; // it waits for an operator, whatever routes there are
      return "keep";
    }
    const [region = "", ...category] = letter.routingKey.split(".");
    const service = serviceOf(routes, region, category.join("."));
    if (service === undefined || serviceQueueName(service) === queue) return "keep";
    const outcome = await send(letter, publisher);
    if (outcome === "confirmed") {
      kept--;
      return "drop";
    }
    if (outcome !== "kept") refused++;
    return "keep";
  });
  return { moved, kept, refused, givenUp };
}

async function onChannel(
  runtime: Runtime,
  model: ChannelModel,
  work: (channel: Awaited<ReturnType<ChannelModel["createChannel"]>>) => Promise<unknown>,
) {
  const channel = await answered(runtime, model, model.createChannel());
  channel.on("error", () => undefined); // the rejection reports it
  await work(channel);
  await closeChannel(runtime, channel);
}
