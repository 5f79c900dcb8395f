// The console after something has ended: a gateway that comes back, a dialog that is closed; an
// unknown address. In a real browser (headless Chromium) on a real gateway.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { World } from "./console-world.ts";

const SLOW_MS = 60_000;
let browser: Browser;
let t: TestGateway;
let world: World;
let letters: object[] = [];

beforeAll(async () => {
  t = await startTestGateway({
    overview: async () => world.overview(),
    letters: {
      list: async () => ({ letters }),
      redrive: async () => ({ matched: 0, done: 0, left: [] }),
      drop: async () => ({ matched: 0, done: 0, left: [] }),
    },
    workers: { pause: async (id) => [id], resume: async (id) => [id] },
  });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);

afterAll(async () => {
  await browser?.close();
  await t?.close();
}, SLOW_MS);

beforeEach(() => {
  world = new World();
});

async function signedIn(path: string): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(SLOW_MS / 2);
  const own = await token("olga", { scope: "operator" });
  await page.goto(`${t.gateway.url}/console${path}#token=${own}`);
  await page.waitForSelector("#age:has-text('live')");
  return page;
}

test(
  "a page that a gateway could not answer is filled once it answers, without a click",
  async () => {
    const page = await signedIn("");
    await page.route("**/v1/**", (route) => route.abort());
    await page.click("nav a[href='/console/sales']");
    await page.waitForSelector("#sales:has-text('Cannot be shown')");
    await page.unroute("**/v1/**");
    await page.waitForSelector("#sales:not(:has-text('Cannot be shown'))");
    await page.waitForSelector("#sales :is(table, .empty)");
    await page.close();
  },
  SLOW_MS,
);

test(
  "a dialog gives the focus back, whichever way it ends",
  async () => {
    const page = await signedIn("/workers");
    const focused = () => page.evaluate(() => document.activeElement?.id);
    for (const end of ["Escape", "button:has-text('Cancel')", "button[type=submit]"]) {
      await page.focus("#pause-all");
      await page.keyboard.press("Enter");
      await page.waitForSelector("#ask");
      if (end === "Escape") await page.keyboard.press(end);
      else await page.click(`#ask ${end}`);
      await page.waitForSelector("#ask", { state: "detached" });
      await page.waitForFunction(() => document.activeElement !== document.body);
      expect([end, await focused()]).toEqual([end, "pause-all"]);
    }
    await page.close();
  },
  SLOW_MS,
);

test(
  "dead letters are in the order of their age, so that new ones do not move those in sight",
  async () => {
    const letter = (n: number) => ({
      ...{ id: `0000000${n}`, queue: "payments.dead", region: "eu", reason: "payment_failed" },
      ...{ user: "ann", order: Bun.randomUUIDv7(), headers: {} },
      body: { atMs: 1_000_000 * n, amount: 1_000, currency: "EUR" },
    });
    letters = [3, 1, 4, 2].map(letter);
    const page = await signedIn("/dead");
    await page.waitForSelector("#letters tbody tr");
    const ids = await page.locator("#letters tbody button.link").allTextContents();
    expect(ids.map((id) => id.trim().at(-1))).toEqual(["1", "2", "3", "4"]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "without reports the last known rates stay, and no step is said to be well",
  async () => {
    const page = await signedIn("");
    const rate = page.locator("#rates .figure dd").first();
    await rate.filter({ hasText: /^\d/ }).waitFor();
    world.change = (o) => ({
      ...o,
      unasked: ["redis"],
      orders: { ...o.orders, overMs: null, accepted: null, decided: null, byOutcome: {} },
      flow: { bottleneck: null, steps: o.flow.steps.map((s) => ({ ...s, perS: null })) },
    });
    await page.waitForSelector("#rates .stale");
    expect(await rate.textContent()).toMatch(/^\d/);
    await page.waitForSelector("#flow .stale .flow-words:has-text('is not known now')");
    await page.close();
  },
  SLOW_MS,
);

test(
  "an address that the console has not says so; one of an order or a sale leads to it",
  async () => {
    const page = await signedIn("");
    await page.goto(`${t.gateway.url}/console/nowhere`);
    await page.waitForSelector("h1:has-text('Page not found')");
    await page.goto(`${t.gateway.url}/console/sales/spring%20one`);
    expect(page.url()).toEndWith("/console/sales?sale=spring+one");
    await page.goto(`${t.gateway.url}/console/orders/42`);
    expect(page.url()).toEndWith("/console/orders?id=42");
    await page.close();
  },
  SLOW_MS,
);
