// A gateway that had to publish to another region: what its clients and operators learn.
import { afterEach, expect, test } from "bun:test";
import { bearer, closeGateways, order, post, start, TestSocket } from "../testing.ts";

afterEach(closeGateways);

async function place(url: string, user: string): Promise<{ id: string; region?: string }> {
  const response = await post(`${url}/v1/orders`, order(), await bearer(user));
  expect(response.status).toBe(202);
  return (await response.json()) as { id: string; region?: string };
}

test("an answer names the regions that may hold the order, unless it is home alone", async () => {
  const { gateway, broker } = await start();
  expect(await place(gateway.url, "ann")).not.toHaveProperty("region");
  broker.region = "us";
  expect(await place(gateway.url, "ann")).toMatchObject({ region: "us" });
  broker.region = "eu,us";
  expect(await place(gateway.url, "ann")).toMatchObject({ region: "eu,us" });
  broker.region = undefined;
  expect(await place(gateway.url, "ann")).not.toHaveProperty("region");
});

test("so does an ack", async () => {
  const { gateway, broker } = await start();
  const socket = await TestSocket.open(gateway.url, "ann");
  const ack = async () => {
    const placed = order();
    socket.send({ type: "order", ref: "r", order: placed });
    const [[, id, ...region]] = (await socket.next("acks")).acks as [[string, string, string?]];
    expect(id).toBe(placed.id as string);
    return region;
  };
  expect(await ack()).toEqual([]);
  broker.region = "us";
  expect(await ack()).toEqual(["us"]);
});

test("operators see undecided orders by the region that confirmed them", async () => {
  const { gateway, broker } = await start();
  const ids: Record<string, string> = {};
  for (const region of ["us", "eu,us", undefined]) {
    broker.region = region;
    ids[region ?? "eu"] = (await place(gateway.url, "ann")).id;
  }
  const listed = async (region: string) => {
    const response = await fetch(`${gateway.url}/v1/admin/undecided?region=${region}`, {
      headers: await bearer("ops", { scope: "operator" }),
    });
    const { orders } = (await response.json()) as { orders: { id: string }[] };
    return orders.map(({ id }) => id);
  };
  // Whether eu has the second one too, nobody knows.
  expect(await listed("us")).toEqual([ids.us as string, ids["eu,us"] as string]);
  expect(await listed("eu")).toEqual([ids.eu as string]);
  const home = broker.published.at(-1)?.batch ?? "";
  broker.tell({ batches: [[home, "reserved"]], released: [] });
  expect(await listed("eu")).toEqual([]);
});

test("operators see cancels too, apart from orders", async () => {
  const { gateway } = await start();
  const socket = await TestSocket.open(gateway.url, "ann");
  const id = Bun.randomUUIDv7();
  socket.send({ type: "cancel", ref: "r", id });
  await socket.next("acks");
  const response = await fetch(`${gateway.url}/v1/admin/undecided`, {
    headers: await bearer("ops", { scope: "operator" }),
  });
  const { orders } = (await response.json()) as { orders: object[] };
  expect(orders).toEqual([{ user: "ann", id, acceptedAtMs: expect.any(Number), cancel: true }]);
});

test("only operators see them", async () => {
  const { gateway } = await start();
  const url = `${gateway.url}/v1/admin/undecided?region=us`;
  expect((await fetch(url, { headers: await bearer("ann") })).status).toBe(403);
});
