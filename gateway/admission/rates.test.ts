// The rates of users and regions, which a gateway's answers tell.
import { afterEach, expect, test } from "bun:test";
import { at } from "../../core/domain/at.ts";
import { bearer, closeGateways, order, post, start, TestSocket } from "../testing.ts";
import { Admission } from "./admission.ts";
import { body, orders, runtimeAt } from "./test-admission.ts";

afterEach(closeGateways);

test("a user's bucket: headers on each answer; empty: 429 for this user alone", async () => {
  const t = await start({ admission: { userPerSecond: 1, userBurst: 3 } });
  const ann = await bearer("ann");
  const taken = await post(orders(t), order(), ann);
  expect(taken.status).toBe(202);
  expect(taken.headers.get("ratelimit-policy")).toBe('"user";q=3;w=3');
  expect(taken.headers.get("ratelimit")).toBe('"user";r=2;t=1');
  for (let i = 0; i < 2; i++) expect((await post(orders(t), order(), ann)).status).toBe(202);
  const refused = await post(orders(t), order(), ann);
  expect([
    refused.status,
    refused.headers.get("retry-after"),
    refused.headers.get("ratelimit"),
  ]).toEqual([429, "1", '"user";r=0;t=3']);
  expect(await body(refused)).toMatchObject({ code: "rate_limited", field: "user" });
  expect((await post(orders(t), order(), await bearer("bob"))).status).toBe(202);
  expect(t.broker.rows).toHaveLength(4);
});

test("a service's orders use the bucket of the user they name, over WebSocket too", async () => {
  const t = await start({ admission: { userPerSecond: 1, userBurst: 1 } });
  const socket = await TestSocket.open(t.gateway.url, "shop", { scope: "service" });
  const placed = ["ann", "ann", "bob"].map((user) => order({ user }));
  socket.send({ type: "orders", ref: "r", orders: placed });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["r", placed[1]?.id, expect.objectContaining({ code: "rate_limited", status: 429 })],
  ]);
  expect((await socket.next("acks")).acks).toEqual([
    ["r", placed[0]?.id],
    ["r", placed[2]?.id],
  ]);
});

test("skips and cancels use the user's bucket; a service sees that user's bucket", async () => {
  const t = await start({ admission: { userPerSecond: 0.01, userBurst: 3 } });
  const ann = await bearer("ann");
  const skip = () => post(`${orders(t)}/skip`, { saleId: "spring", seq: 1 }, ann);
  const cancel = () =>
    fetch(`${orders(t)}/${Bun.randomUUIDv7()}`, { method: "DELETE", headers: ann });
  expect((await post(orders(t), order(), ann)).status).toBe(202);
  expect((await skip()).status).toBe(202);
  void cancel().catch(() => undefined);
  while (t.broker.rows.at(-1)?.kind !== "cancel") await Bun.sleep(5);
  const refused = await Promise.all([skip(), cancel(), post(orders(t), order(), ann)]);
  expect(refused.map((r) => r.status)).toEqual([429, 429, 429]);
  expect(await body(at(refused, 0))).toMatchObject({
    code: "rate_limited",
    // It has filled up since the first order: less than a second's worth, unless the test is slow.
    estimate: { seconds: expect.closeTo(100, -1) },
  });
  const shop = await bearer("shop", { scope: "service" });
  expect(
    (await post(orders(t), order({ user: "ann" }), shop)).headers.get("ratelimit"),
  ).toStartWith('"user";r=0;');
  expect(
    (await post(orders(t), order({ user: "bob" }), shop)).headers.get("ratelimit"),
  ).toStartWith('"user";r=2;');
  expect(t.broker.rows).toHaveLength(4);
});

test("an order refused by the region's rate uses no token of its user", () => {
  const admission = new Admission({
    ...{
      shards: 1,
      targetMs: 1_000,
      stallOrders: 10,
      lateMs: 60,
      regionPerSecond: 1,
      user: { perSecond: 1, burst: 5 },
      brokerBlocked: () => false,
    },
    runtime: runtimeAt(() => 1_000),
  });
  for (let i = 0; i < 10; i++) admission.charge("ann");
  expect(admission.headers("ann")?.ratelimit).toStartWith('"user";r=4;');
});

test("a region's rate is shared by its gateways", () => {
  const nowMs = 1_000;
  const admission = new Admission({
    ...{
      shards: 1,
      targetMs: 1_000,
      stallOrders: 10,
      lateMs: 60,
      regionPerSecond: 10,
      brokerBlocked: () => false,
    },
    runtime: runtimeAt(() => nowMs),
  });
  const takes = () => {
    let taken = 0;
    while (!admission.charge("ann")) taken++;
    return taken;
  };
  expect(takes()).toBe(10);
  expect(admission.charge("ann")).toMatchObject({ code: "rate_limited", field: "region" });
  admission.share(5);
  expect(takes()).toBe(2);
});
