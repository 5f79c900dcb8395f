// What the console makes of a sale's figures and tables, in a real browser (headless Chromium) on a
// real gateway: test/console.browser.test.ts has its pages.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { HistoryMinute } from "../core/domain/timeline.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { IDLE, startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { openLedgerWriter } from "../ledger/open.ts";
import { World } from "./console-world.ts";

const SLOW_MS = 60_000;
let browser: Browser;
let t: TestGateway;
const world = new World();

beforeAll(async () => {
  t = await startTestGateway({ ...IDLE, overview: async () => world.overview() });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);

afterAll(async () => {
  await browser?.close();
  await t?.close();
}, SLOW_MS);

async function signedIn(path: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const own = await token("olga", { scope: "operator" });
  await page.goto(`${t.gateway.url}/console${path}#token=${own}`);
  return page;
}

const MINUTE: HistoryMinute = {
  ...{ atMs: 0, accepted: 3_400, decided: { reserved: 2_100, sold_out: 4 } },
  ...{
    refused: { sold_out: 1_900, shed: 2, unavailable: 14 },
    paid: 2_000,
    lagMs: 3,
    p50Ms: 4,
    p99Ms: 90,
  },
  ...{ dead: 0, unitsLeft: {} },
};

test(
  "the timeline counts as sold out who was told so at the gateway, and names an unknown minute so",
  async () => {
    const atMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
    const writer = await openLedgerWriter(realRuntime, `sqlite:${t.ledgerPath}`);
    const keep = (minutes: HistoryMinute[]) =>
      writer.keepTimeline({ holder: "test", leaseMs: 60_000, events: [], minutes });
    await keep([]);
    await keep([{ ...MINUTE, atMs }]);
    const page = await signedIn("/timeline");
    await page.waitForSelector("#day-orders figcaption:has-text('sold out 1,904')");
    await page.waitForSelector("#day-orders figcaption:has-text('answered 503 16')");
    await keep([{ ...MINUTE, atMs: atMs + 60_000, refused: null, incomplete: true }]);
    await page.click("#timeline button:has-text('Refresh')");
    await page.waitForSelector("#day-orders figcaption:has-text('sold out unknown')");
    await page.waitForSelector(
      "#day-orders p:has-text('Counts are incomplete in the minutes from')",
    );
    await writer.close();
    await page.close();
  },
  SLOW_MS,
);

test(
  "during an outage the overview names its cause beside the 503s",
  async () => {
    world.change = (o) => ({
      ...o,
      orders: { ...o.orders, overMs: 4_000, shed: 2, refused: { unavailable: 1.5, shed: 0.5 } },
    });
    const page = await signedIn("");
    const causes = "a broker or store is away; too many at once";
    await page.waitForSelector(
      `.figures div:has(dt:has-text("Answered 503")):has-text("${causes}")`,
    );
    await page.close();
  },
  SLOW_MS,
);

test(
  "of several open sales the one that opened last is shown first",
  async () => {
    world.change = (o) => {
      const earlier = o.sales.map((s) => ({ ...s, id: "older", name: "Older sale", opensAtMs: 1 }));
      return { ...o, sales: [...earlier, ...o.sales] };
    };
    const page = await signedIn("");
    await page.waitForSelector("#sale h3:has-text('Autumn sale')");
    await page.selectOption("#sale select", "older");
    await page.waitForSelector("#sale h3:has-text('Older sale')");
    await page.close();
  },
  SLOW_MS,
);

/** In the page: the words of a table that are broken within, except in columns of long texts. */
function brokenWords(): string[] {
  const broken: string[] = [];
  const walker = document.createTreeWalker(document.querySelector("tbody") as Node, 4);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement?.closest(".wide")) continue;
    for (const { 0: word, index } of (node.textContent ?? "").matchAll(/[\w.]+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (word.length <= 16 && range.getClientRects().length > 1) broken.push(word);
    }
  }
  return broken;
}

test(
  "the words of a table stay whole on a laptop",
  async () => {
    // Long names take the width that the other columns need.
    const authorization = `Bearer ${await token("olga", { scope: "operator" })}`;
    const named = `${t.gateway.url}/v1/admin/orders?user=${"a-long-name-".repeat(15)}`;
    await fetch(named, { headers: { authorization } });
    const change = { method: "POST", headers: { authorization }, body: "{}" };
    await fetch(`${t.gateway.url}/v1/admin/sales/spring/restock`, change);
    const page = await signedIn("/audit?reads=yes");
    for (const [address, selector] of [
      ["/sales?sale=spring", "#one-sale"],
      ["/workers", "#workers"],
      ["/audit?reads=yes", "#audit"],
    ]) {
      await page.goto(`${t.gateway.url}/console${address}`);
      await page.waitForSelector(`${selector} tbody tr`);
      expect(await page.evaluate(brokenWords)).toEqual([]);
    }
    await page.goto(`${t.gateway.url}/console/audit`);
    await page.waitForSelector("#audit tbody tr");
    expect(await page.textContent("#audit")).not.toContain(".list");
    await page.close();
  },
  SLOW_MS,
);
