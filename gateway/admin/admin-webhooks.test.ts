import { afterEach, expect, test } from "bun:test";
import { bearer, closeGateways, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

const call = async (t: TestGateway, method: string, path: string, body?: object) => {
  const headers = {
    ...(await bearer("ops", { scope: "operator" })),
    "content-type": "application/json",
  };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const url = `${t.gateway.url}/v1/admin/webhooks${path}`;
  const response = await fetch(url, { method, headers, ...sent });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

test("an operator adds, sees, pauses, resumes and removes an endpoint", async () => {
  const t = await start();
  const url = "https://shop.example/hooks";
  const added = await call(t, "POST", "", { url, types: ["order.paid"] });
  expect(added.status).toBe(201);
  const { id, secret } = added.body as { id: string; secret: string };
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  const list = async () => (await call(t, "GET", "")).body.webhooks as Record<string, unknown>[];
  expect(await list()).toMatchObject([{ id, url, types: ["order.paid"], state: "active" }]);
  expect(JSON.stringify(await list())).not.toContain("whsec_");
  expect((await call(t, "POST", `/${id}/pause`)).body).toEqual({ id, state: "paused" });
  expect(await list()).toMatchObject([{ state: "paused", paused: { by: "ops" } }]);
  expect((await call(t, "POST", `/${id}/resume`)).status).toBe(200);
  expect(await list()).toMatchObject([{ state: "active" }]);
  expect((await call(t, "GET", `/${id}/deliveries`)).body).toEqual({ deliveries: [] });
  expect((await call(t, "DELETE", `/${id}`)).status).toBe(200);
  expect(await list()).toEqual([]);
});

test("an invalid value is refused, and the answer names the field", async () => {
  const t = await start();
  const cases: [body: object, field: string][] = [
    [{}, "url"],
    [{ url: "shop.example" }, "url"],
    [{ url: "http://shop.example" }, "url"],
    [{ url: "https://127.0.0.1/" }, "url"],
    [{ url: "https://ann:word@shop.example/" }, "url"],
    [{ url: "https://shop.example/", types: [] }, "types"],
    [{ url: "https://shop.example/", types: ["order.lost"] }, "types[0]"],
    [{ url: "https://shop.example/", after: "nowhere" }, "after"],
    [{ url: "https://shop.example/", secret: "mine" }, "secret"],
  ];
  for (const [body, field] of cases) {
    const answer = await call(t, "POST", "", body);
    expect([body, answer.status, answer.body.field]).toEqual([body, 422, field]);
  }
  for (const [method, path] of [
    ["DELETE", "/none"],
    ["POST", "/none/pause"],
    ["POST", "/none/resume"],
    ["GET", "/none/deliveries"],
  ] as const)
    expect(await call(t, method, path)).toMatchObject({ status: 404, body: { field: "id" } });
  const redeliver = await call(t, "POST", "/none/redeliver", { event: "e" });
  expect(redeliver).toMatchObject({ status: 404, body: { field: "id" } });
  const private1 = await start({ webhookPrivate: true });
  expect((await call(private1, "POST", "", { url: "http://127.0.0.1:9/" })).status).toBe(201);
});
