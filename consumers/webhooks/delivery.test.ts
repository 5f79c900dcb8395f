import { afterEach, beforeEach, expect, test } from "bun:test";
import type { FeedEvent } from "../../core/domain/feed-event.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { deliver } from "./delivery.ts";
import { Receiver, SECRET } from "./testing.ts";

const EVENT: FeedEvent = {
  id: "e-1",
  type: "order.paid",
  atMs: 5,
  shard: 0,
  n: 1,
  user: "ann",
  orderId: "01a223dd-79a4-7034-9205-b60b5faffc50",
  saleId: "s1",
  status: "paid",
  generation: 1,
  amount: 200,
  currency: "EUR",
};
let receiver: Receiver;
beforeEach(() => {
  receiver = new Receiver();
  receiver.start();
});
afterEach(() => receiver.stop());

const never = new AbortController().signal;
const send = (
  url: string,
  more: { privateAllowed?: boolean; addressesOf?: (host: string) => Promise<string[]> } = {},
) =>
  deliver(
    {
      runtime: realRuntime,
      now: realRuntime.wallMs,
      timeoutMs: 500,
      privateAllowed: true,
      ...more,
    },
    { url, secret: SECRET },
    EVENT,
    never,
  );

test("a webhook is a signed CloudEvent", async () => {
  expect(await send(receiver.url)).toMatchObject({ received: true, status: 204, error: "" });
  const [got] = receiver.received;
  expect(got?.id).toBe("e-1");
  expect(JSON.parse(got?.body ?? "")).toEqual({
    specversion: "1.0",
    id: "e-1",
    source: "/sluice/orders",
    type: "order.paid",
    subject: `ann/${EVENT.orderId}`,
    time: "1970-01-01T00:00:00.005Z",
    datacontenttype: "application/json",
    data: {
      ...{ orderId: EVENT.orderId, user: "ann", saleId: "s1", status: "paid", generation: 1 },
      ...{ currency: "EUR", amount: 200 },
    },
  });
});

test("only 2xx counts; a redirect is not followed", async () => {
  for (const status of [301, 307, 400, 404, 500]) {
    receiver.behave = () => status;
    expect(await send(receiver.url)).toMatchObject({ received: false, status });
  }
  expect(receiver.received.map(({ path }) => path)).toEqual(new Array(5).fill("/"));
});

test("no answer in time, or none at all, is a failure that says so", async () => {
  receiver.behave = () => ({ status: 200, afterMs: 1_500 });
  const late = await send(receiver.url);
  expect(late).toMatchObject({ received: false, status: 0, error: "no answer within 500 ms" });
  expect(late.tookMs).toBeLessThan(1_400);
  await receiver.stop();
  expect(await send(receiver.url)).toMatchObject({ received: false, status: 0 });
});

test("a private address gets nothing, however it is written, unless it is allowed", async () => {
  const hosts = ["127.0.0.1", "[::1]", "localhost", "10.1.2.3", "169.254.169.254", "[fd00::1]"];
  for (const host of [...hosts, "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]) {
    const answer = await send(`https://${host}/`, { privateAllowed: false });
    expect([host, answer.error]).toEqual([host, expect.stringContaining("a public address")]);
  }
  const named = async (...addresses: string[]) => {
    const addressesOf = async () => addresses;
    return (await send("https://shop.example/", { privateAllowed: false, addressesOf })).error;
  };
  for (const address of ["127.0.0.1", "192.168.0.9", "::ffff:10.0.0.1", "fe80::1", "::"])
    expect(await named("93.184.216.34", address)).toContain("has a private address");
  expect(await named()).toContain("has no address");
  expect((await send(receiver.url, { privateAllowed: false })).error).toContain("https:");
  expect(receiver.received).toEqual([]);
});
