import { afterEach, expect, test } from "bun:test";
import { closeGateways, start } from "../testing.ts";

afterEach(closeGateways);

const status = async (url: string, init?: RequestInit) => (await fetch(url, init)).status;

test("with a port of their own, metrics are not on the clients' port", async () => {
  const t = await start({ metrics: { host: "127.0.0.1", port: 0 } });
  const { url, metricsUrl } = t.gateway;
  const apart = new URL(metricsUrl).origin;
  expect(apart).not.toBe(url);
  expect(await (await fetch(metricsUrl)).text()).toContain("sluice_gateway_sockets");
  expect(await status(`${url}/metrics`)).toBe(404);
  for (const port of [url, apart])
    for (const path of ["/healthz", "/readyz"]) expect(await status(port + path)).toBe(200);
  expect(await status(`${apart}/v1/sales/spring`)).toBe(404);
  expect(await status(`${apart}/v1/orders`, { method: "POST" })).toBe(404);
  t.gateway.leave();
  expect(await status(`${apart}/readyz`)).toBe(503);
});

test("without one they are where they were", async () => {
  const t = await start();
  expect(t.gateway.metricsUrl).toBe(`${t.gateway.url}/metrics`);
  expect(await status(t.gateway.metricsUrl)).toBe(200);
});

test("a port that is taken is named by its setting", async () => {
  const taken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  try {
    const metrics = { host: "127.0.0.1", port: taken.port as number };
    expect(start({ metrics })).rejects.toThrow("SLUICE_GATEWAY_METRICS_PORT: cannot listen on");
  } finally {
    await taken.stop(true);
  }
});
