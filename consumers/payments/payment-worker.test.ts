import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { ChannelModel } from "amqplib";
import type { BrokerConnection } from "../../broker/connection.ts";
import type { Publisher } from "../../broker/publisher.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { RegionLink } from "../orders/relay.ts";
import { PaymentWorker } from "./payment-worker.ts";
import type { ChargeAnswer, PaymentProvider } from "./provider.ts";

const REQUESTS = 300;
const CALLS_AT_ONCE = 256;
const MAX_IN_MESSAGE = 100;

/** A broker's channel, as far as a subscription uses it. */
class FakeChannel extends EventEmitter {
  deliver: (message: unknown) => void = () => undefined;
  prefetched = 0;
  async prefetch(messages: number) {
    this.prefetched = messages;
  }
  async cancel() {}
  async close() {
    this.emit("close");
  }
  async consume(_: string, deliver: (message: unknown) => void) {
    this.deliver = deliver;
    return { consumerTag: "tag" };
  }
  ack() {}
}

function fakeLink(channel: FakeChannel, publisher = {} as Publisher): RegionLink {
  const connection = new EventEmitter();
  const model = { connection, createChannel: async () => channel } as unknown as ChannelModel;
  const consuming = {
    runtime: realRuntime,
    region: { name: "eu" },
    up: true,
    model: undefined,
    attach: (attachment: (model: ChannelModel) => Promise<void>) => attachment(model),
    detach: () => undefined,
  } as unknown as BrokerConnection;
  return { connection: consuming, consuming, publisher };
}

const charges = Array.from({ length: REQUESTS }, (_, n) => ({
  kind: "charge",
  user: `u${n}`,
  id: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
  generation: 1,
  attempt: 1,
  amount: 100,
  currency: "EUR",
  payment: "tok",
}));

function start(
  channel: FakeChannel,
  charge: PaymentProvider["charge"],
  publisher?: Publisher,
): Promise<PaymentWorker> {
  const worker = new PaymentWorker({
    runtime: realRuntime,
    id: "p1",
    regions: [fakeLink(channel, publisher)],
    provider: { charge, lookUp: async () => ({ kind: "none" }) } as unknown as PaymentProvider,
    shards: 1,
    unknownMaxMs: 60_000,
    settleMaxMs: 60_000,
    log: () => undefined,
  });
  return worker.start().then(() => worker);
}

test("full messages fill the places at the provider and leave some to others", async () => {
  const channel = new FakeChannel();
  const worker = await start(channel, () => Promise.reject(new Error("not called")));
  const requests = channel.prefetched * MAX_IN_MESSAGE;
  expect(requests).toBeGreaterThan(2 * CALLS_AT_ONCE);
  expect(requests).toBeLessThan(7 * CALLS_AT_ONCE);
  await worker.stop();
});

test("requests of a lost channel start no more calls and are no longer in flight", async () => {
  const calls: PromiseWithResolvers<ChargeAnswer>[] = [];
  const charge = () => {
    const call = Promise.withResolvers<ChargeAnswer>();
    calls.push(call);
    return call.promise;
  };
  const channel = new FakeChannel();
  const worker = await start(channel, charge);
  const content = Buffer.from(JSON.stringify(charges));
  channel.deliver({ content, fields: { deliveryTag: 1 }, properties: {} });
  await realRuntime.sleep(20);
  expect(calls.length).toBe(CALLS_AT_ONCE);
  expect(worker.load).toBe(REQUESTS);
  channel.emit("close");
  await realRuntime.sleep(20);
  expect(worker.load).toBe(CALLS_AT_ONCE);
  for (const call of calls) call.reject(new Error("gone"));
  await realRuntime.sleep(20);
  expect(worker.load).toBe(0);
  expect(calls.length).toBe(CALLS_AT_ONCE);
  await worker.stop();
});

test("a jump of this machine's clock gives no order up", async () => {
  const sent = Promise.withResolvers<string>();
  const publish = async (_exchange: string, _key: string, body: Buffer) => {
    sent.resolve(body.toString());
    return "confirmed";
  };
  const publisher = { ready: true, publish } as unknown as Publisher;
  const channel = new FakeChannel();
  const worker = await start(channel, async () => ({ kind: "pending" }), publisher);
  // By this machine's clock it has waited for decades.
  const requests = [{ ...charges[0], request: 2, sinceMs: 1_000_000, waitedMs: 1_500 }];
  const content = Buffer.from(JSON.stringify(requests));
  channel.deliver({ content, fields: { deliveryTag: 1 }, properties: {} });
  expect(await sent.promise).toContain('"answer":["later"]');
  await worker.stop();
});
