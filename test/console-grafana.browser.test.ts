// The console's links into Grafana, against the dashboard that they lead to; and what a sale has
// brought.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { World } from "./console-world.ts";

const SLOW_MS = 40_000;
const DASHBOARD = JSON.parse(
  readFileSync(`${import.meta.dir}/../deploy/grafana/dashboards/sluice.json`, "utf8"),
) as { uid: string; templating: { list: { name: string }[] } };
const world = new World();
let browser: Browser;
let t: TestGateway;

beforeAll(async () => {
  const overview = async () => world.overview();
  t = await startTestGateway({ overview, grafana: "https://grafana.example/g" });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);
afterAll(async () => {
  await browser.close();
  await t.close();
});

async function open(path: string) {
  const page = await browser.newPage();
  const signedIn = await token("olga", { scope: "viewer" });
  await page.goto(`${t.gateway.url}/console${path}#token=${signedIn}`);
  await page.waitForSelector("main .panel > div");
  return page;
}

test(
  "links into Grafana have the dashboard's variables: the sale with its time, the region, the day",
  async () => {
    const places = { "": "#sale", "/workers": "#gateways", "/timeline": "#timeline" };
    const found: Record<string, string>[] = [];
    for (const [path, panel] of Object.entries(places)) {
      const page = await open(path);
      const link = page.locator(`${panel} a.grafana`).first();
      const url = new URL((await link.getAttribute("href")) ?? "");
      expect(`${url.origin}${url.pathname}`).toBe(`https://grafana.example/g/d/${DASHBOARD.uid}`);
      found.push(Object.fromEntries(url.searchParams));
      await page.close();
    }
    const [sale, region, day] = found;
    expect(sale).toMatchObject({ "var-sale": "autumn", to: "now" });
    expect(Date.now() - Number(sale?.from)).toBeGreaterThan(3_600_000);
    expect(region).toMatchObject({ "var-region": expect.any(String), from: "now-1h", to: "now" });
    expect(day).toEqual({ from: "now-24h", to: "now" });
    const known = DASHBOARD.templating.list.map(({ name }) => `var-${name}`);
    const used = found.flatMap(Object.keys).filter((name) => name.startsWith("var-"));
    expect(used.filter((name) => !known.includes(name))).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a sale shows what it has brought itself; unknown, what all have",
  async () => {
    const page = await open("");
    await page.waitForSelector("#sale dt:text-is('Revenue')");
    world.change = (o) => ({ ...o, sales: o.sales.map((sale) => ({ ...sale, revenue: null })) });
    await page.waitForSelector("#sale dt:text-is('Revenue, all sales')");
    await page.close();
  },
  SLOW_MS,
);

test("without the setting nobody learns of Grafana", async () => {
  const other = await startTestGateway();
  const authorization = `Bearer ${await token("olga", { scope: "viewer" })}`;
  const ask = (gateway: string) =>
    fetch(`${gateway}/v1/admin/me`, { headers: { authorization } }).then((r) => r.json());
  expect(await ask(other.gateway.url)).not.toHaveProperty("grafana");
  expect(await ask(t.gateway.url)).toHaveProperty("grafana", "https://grafana.example/g");
  await other.close();
});
