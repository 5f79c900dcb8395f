import { afterEach, expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { bearer, closeGateways, order, post, start } from "../../gateway/testing.ts";
import { ask } from "./lost-region.ts";

afterEach(closeGateways);

test("an address that leads to another gateway gives no orders, and says so", async () => {
  const { gateway, broker } = await start();
  broker.region = "us";
  const placed = order();
  await post(`${gateway.url}/v1/orders`, placed, await bearer("ann"));
  const { authorization } = await bearer("ops", { scope: "operator" });
  const token = authorization.replace("Bearer ", "");
  const options = { runtime: realRuntime, region: "us", token };
  const { id } = gateway.report();

  const own = await ask({ id, url: gateway.url }, options);
  expect(own.why).toBeUndefined();
  expect(own.orders).toMatchObject([{ user: "ann", id: placed.id, gateway: id }]);

  // As two gateways behind one address: 0.0.0.0 in two containers, 127.0.0.1 on two machines.
  const other = await ask({ id: "us.gateway-us", url: gateway.url }, options);
  expect(other).toEqual({
    gateway: "us.gateway-us",
    orders: [],
    why: `another gateway (${id}) answers at ${gateway.url}`,
  });
});
