// The page of the interface (/docs) in a real browser on the running product: it leads to each
// call, and makes it.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { at } from "../core/domain/at.ts";
import { Shop } from "../sdk/testing.ts";
import { axeOf, clippedIn } from "./page-checks.ts";
import { until } from "./until.ts";

const SLOW_MS = 90_000;
const START_MS = 200_000;
const ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
let browser: Browser;
let shop: Shop;
let gateway: string;

beforeAll(async () => {
  [shop, browser] = await Promise.all([
    Shop.open({ lamp: 100 }),
    chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS }),
  ]);
  gateway = await shop.gateway();
}, START_MS);

afterAll(async () => {
  await browser?.close();
  await shop?.close();
}, SLOW_MS);

async function open(
  hash = "",
  javaScriptEnabled = true,
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ javaScriptEnabled });
  const page = await context.newPage();
  page.setDefaultTimeout(SLOW_MS);
  const errors: string[] = [];
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${gateway}/docs${hash}`);
  return { page, errors };
}

/** Sends the form of a call, and returns the status line and the answer. */
async function send(page: Page, call: string): Promise<readonly [string, string]> {
  const form = page.locator(`#${call} form`);
  await form.getByRole("button", { name: "Send" }).click();
  const read = async (part: string) => (await form.locator(part).textContent()) ?? "";
  await until("an answer", async () => !["", "…"].includes(await read(".status")));
  await form.getByRole("button", { name: "Send" }).waitFor();
  return [await read(".status"), await read(".answer")];
}

test(
  "an order is placed from the page, sent again as the same, then read by its id",
  async () => {
    const { page, errors } = await open();
    await page.getByLabel("Token").fill(await shop.token("ann"));
    await page.getByRole("link", { name: "Place an order", exact: true }).click();
    const body = page.locator("#placeOrder textarea");
    const idIn = async (): Promise<string> => JSON.parse(await body.inputValue()).id;
    const id = await idIn();
    const [status, answer] = await send(page, "placeOrder");
    expect(status).toMatch(/^202 Accepted, after \d+ ms$/);
    expect(answer).toContain(`"id": "${id}"`);
    expect(answer).toContain("content-type: application/json");
    expect((await send(page, "placeOrder"))[0]).toStartWith("202");
    await page.getByRole("button", { name: "New id" }).first().click();
    expect(await idIn()).not.toBe(id);
    await shop.stack.becomes("ann", id, "paid");
    expect(await shop.orders("ann")).toHaveLength(1);
    await page.getByRole("link", { name: "Show one order and its events" }).click();
    await page.locator("#showOrder [name=id]").fill(id);
    expect((await send(page, "showOrder"))[1]).toContain('"status": "paid"');
    const curl = await page.locator("#showOrder .curl").textContent();
    expect(curl).toContain(`curl -X GET '${gateway}/v1/orders/${id}'`);
    expect(curl).toContain("Bearer $TOKEN");
    expect(errors).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a refusal is shown as it came; a stream goes on until it is stopped",
  async () => {
    const { page } = await open("#listSales");
    const [, sales] = await send(page, "listSales");
    expect(sales).toContain('"id": "demo"');
    await page.goto(`${gateway}/docs#listOrders`);
    const [status, answer] = await send(page, "listOrders");
    expect([status.slice(0, 3), answer]).toEqual(["401", expect.stringContaining("no_token")]);
    // Of the order of the test before.
    const { id } = at(await shop.orders("ann"), 0);
    await page.getByLabel("Token").fill(await shop.token("ann"));
    await page.goto(`${gateway}/docs#followOrder`);
    const form = page.locator("#followOrder form");
    await form.locator("[name=id]").fill(id);
    await form.getByRole("button", { name: "Send" }).click();
    await until("an event", async () =>
      /event: paid/.test((await form.locator(".answer").textContent()) ?? ""),
    );
    await form.getByRole("button", { name: "Stop" }).click();
    await form.getByRole("button", { name: "Send" }).waitFor();
  },
  SLOW_MS,
);

test(
  "calls are found by words, and a schema by its name",
  async () => {
    const { page } = await open("#Order");
    expect(await page.locator("#Order").getAttribute("open")).not.toBeNull();
    await page.getByLabel("Show calls with").fill("post restock");
    const shown = await page.locator("main details[data-words]:visible").all();
    expect(await Promise.all(shown.map((call) => call.getAttribute("id")))).toEqual([
      "restockItem",
    ]);
    expect(await page.locator("nav li:visible").count()).toBe(1);
  },
  SLOW_MS,
);

test(
  "every call has a place in the contents; without the script the page can still be read",
  async () => {
    const { page } = await open("", false);
    const links = await page
      .locator("nav li a")
      .evaluateAll((all) => all.map((a) => a.getAttribute("href")));
    const calls = await page
      .locator("main details[data-words]")
      .evaluateAll((all) => all.map(({ id }) => `#${id}`));
    expect(links).toEqual(calls);
    expect(calls.length).toBeGreaterThan(50);
    expect(await page.locator("form:visible, .token:visible").count()).toBe(0);
  },
  SLOW_MS,
);

test(
  "no finding of axe and nothing cut off from 390 to 2,560 pixels, light or dark",
  async () => {
    const { page } = await open("#placeOrder");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect([colorScheme, ...(await clippedIn(page)), ...(await axeOf(page))]).toEqual([
        colorScheme,
      ]);
    }
  },
  SLOW_MS,
);
