// The routes of a simulated broker, in which a service's queue can reject what it is sent.
import { beforeEach, expect, test } from "bun:test";
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { serviceQueueName, topology, UNROUTED } from "../../broker/topology.ts";
import { partKeyOf, type Route } from "../../core/domain/part.ts";
import { WorldBroker } from "../../proof/simulate/world/broker.ts";
import { TestScheduler } from "../../proof/simulate/world/testing.ts";
import type { RegionLink } from "../orders/relay.ts";
import { RouteSync } from "./sync-routes.ts";

/** As often as a worker tends its shards. */
const ROUND_MS = 750;
const MINUTE_MS = 60_000;
const SERVICE = serviceQueueName("east");

let scheduler: TestScheduler;
let broker: WorldBroker;
let link: RegionLink;
let sync: RouteSync;
let routes: Route[];
let version: number;

beforeEach(async () => {
  scheduler = new TestScheduler(1);
  broker = new WorldBroker({ scheduler, name: "eu" });
  link = await linked();
  [routes, version] = [[], 1];
  const ledger = {
    routes: async () => routes,
    formerRoutes: async () => [],
    catalogueVersion: async () => version,
    operationsOpen: async () => [],
    operationsDone: async () => undefined,
  };
  sync = new RouteSync({ ledger, regions: [link], log: () => undefined });
});

async function linked(): Promise<RegionLink> {
  const runtime = scheduler.runtime();
  const connection = new BrokerConnection({
    runtime,
    region: { name: "eu", url: "amqp://worker@eu" },
    topology: topology(1),
    connect: broker.dialer("worker", runtime),
  });
  await scheduler.until(connection.start());
  const publisher = new Publisher(connection, { confirmTimeoutMs: 5_000 });
  await scheduler.until(publisher.start());
  return { connection, consuming: connection, publisher };
}

function route(category: string): void {
  routes = [...routes, { region: "", category, service: "east" }];
  version++;
}

async function part(category: string): Promise<void> {
  const sent = link.publisher.publish("fulfilment", partKeyOf("eu", category), Buffer.from("[]"));
  expect(await scheduler.until(sent)).toBe("confirmed");
}

/** Rounds of the owner of shard 0 for this long. */
async function rounds(forMs: number): Promise<void> {
  for (let leftMs = forMs; leftMs > 0; leftMs -= ROUND_MS) {
    await scheduler.until(sync.sync());
    await scheduler.run(() => false, ROUND_MS);
  }
}

const lengthOf = (queue: string) => broker.queue(queue)?.length;
/** How often the oldest part without a route was delivered and returned. */
const readsOf = (queue: string) => broker.queue(queue)?.messages[0]?.returns;

test("a refused part moves once its queue takes it, though nothing else changes", async () => {
  await part("audio");
  route("audio");
  broker.refuse(SERVICE, true);
  await rounds(12_000);
  expect([lengthOf(UNROUTED), lengthOf(SERVICE)]).toEqual([1, 0]);
  broker.refuse(SERVICE, false);
  await rounds(12_000);
  expect([lengthOf(UNROUTED), lengthOf(SERVICE)]).toEqual([0, 1]);
});

test("parts are read ever less often while a queue refuses them", async () => {
  await part("audio");
  route("audio");
  broker.refuse(SERVICE, true);
  await rounds(10 * MINUTE_MS);
  expect(readsOf(UNROUTED)).toBeGreaterThan(5);
  expect(readsOf(UNROUTED)).toBeLessThan(12);
});

test("parts without a route are read ever less often, however many come", async () => {
  route("audio");
  for (let i = 0; i < 150; i++) {
    await part("home");
    await rounds(4 * ROUND_MS);
  }
  expect(readsOf(UNROUTED)).toBeLessThan(12);
  route("home");
  await rounds(ROUND_MS);
  expect([lengthOf(UNROUTED), lengthOf(SERVICE)]).toEqual([0, 150]);
});

test("parts that have no route are read once", async () => {
  route("audio");
  await part("home");
  await rounds(MINUTE_MS);
  expect(readsOf(UNROUTED)).toBe(1);
});

test("parts that a service gave up are counted apart", async () => {
  expect(sync.givenUpIn("eu")).toBeUndefined();
  route("audio");
  await part("home");
  const headers = { "x-reason": "failed at east: broken" };
  const given = link.publisher.publish(UNROUTED, "eu.audio", Buffer.from("[]"), { headers });
  expect(await scheduler.until(given)).toBe("confirmed");
  await rounds(ROUND_MS);
  expect([lengthOf(UNROUTED), sync.givenUpIn("eu")]).toEqual([2, 1]);
  route("home");
  await rounds(12_000);
  expect([lengthOf(UNROUTED), sync.givenUpIn("eu")]).toEqual([1, 1]);
});
