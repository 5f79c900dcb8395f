// The console where answers come late, out of turn or not at all, in a real browser (headless
// Chromium) on a real gateway: test/console.browser.test.ts has its pages.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { WaitingRate } from "../core/domain/rate.ts";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { World } from "./console-world.ts";

const SLOW_MS = 60_000;
let browser: Browser;
let t: TestGateway;
const world = new World();
let listLetters: () => Promise<object[]> = async () => [];
/** Regions whose broker does not answer. */
let unasked: readonly string[] | undefined;
let waiting: readonly { region: string; messages: number }[] | undefined;
let pause: () => Promise<void> = async () => undefined;
/** Rates that jumped, and what an operator has said of them. */
let jumped: readonly WaitingRate[] = [];
const said: string[] = [];

beforeAll(async () => {
  t = await startTestGateway({
    overview: async () => world.overview(),
    letters: {
      list: async () => ({
        letters: await listLetters(),
        ...{ ...(unasked && { unasked }), ...(waiting && { waiting }) },
      }),
      redrive: async () => ({ matched: 0, done: 0, left: [] }),
      drop: async () => ({ matched: 0, done: 0, left: [], ...(unasked && { unasked }) }),
    },
    ratesByHand: {
      list: async () => ({ rates: [{ ...RATE, value: "1.08" }], waiting: jumped }),
      settle: async ({ verdict, pair, value }, subject) => {
        said.push(`${subject} ${verdict} ${pair} ${value}`);
        jumped = [];
        return { result: "done", applied: true };
      },
    },
    workers: { pause: async (id) => pause().then(() => [id]), resume: async (id) => [id] },
  });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);

afterAll(async () => {
  await browser?.close();
  await t?.close();
}, SLOW_MS);

const RATE = { id: "r1", pair: "EUR/USD", value: "1.5", atMs: Date.now() };

async function signedIn(path: string, user = "olga", scope = "operator"): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(SLOW_MS);
  const own = await token(user, { scope });
  await page.goto(`${t.gateway.url}/console${path}#token=${own}`);
  return page;
}

/** Resolves when the page has got this many more overviews. */
function looks(page: Page, times: number): Promise<unknown> {
  let seen = 0;
  return page.waitForResponse((r) => r.url().endsWith("/overview") && ++seen >= times);
}

test(
  "dead letters are listed by one call at a time, and seldom while their number keeps changing",
  async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let [calls, running, most] = [0, 0, 0];
    listLetters = async () => {
      calls++;
      most = Math.max(most, ++running);
      if (calls > 1) await held;
      running--;
      return [];
    };
    const page = await signedIn("/dead");
    await page.waitForSelector("#dead:has-text('No dead letters here')");
    const startMs = performance.now();
    world.change = (o) => ({ ...o, dead: o.dead.map((d) => ({ ...d, messages: o.atMs % 9_973 })) });
    for (let i = 0; i < 3; i++) await page.click("#dead button:has-text('Refresh')");
    await looks(page, 4);
    expect([calls, most]).toEqual([2, 1]);
    const asked = page.waitForResponse((r) => r.url().includes("/v1/admin/dead"));
    release();
    // What was asked meanwhile is answered by one more call.
    await asked;
    await looks(page, 4);
    expect(calls).toBeGreaterThanOrEqual(3);
    const changes = 1 + Math.floor((performance.now() - startMs) / 10_000);
    expect(calls).toBeLessThanOrEqual(3 + changes);
    expect(most).toBe(1);
    world.change = (o) => o;
    await page.close();
  },
  SLOW_MS,
);

test(
  "a link with a token signs in on an open page too; what began under the token before is over",
  async () => {
    const page = await signedIn("/workers", "vera");
    await page.waitForSelector(".who:has-text('vera')");
    await page.waitForSelector("#workers tbody tr");
    const late = Promise.withResolvers<() => Promise<void>>();
    let asked = 0;
    await page.route("**/v1/admin/overview", async (route) => {
      const json = { title: "The token has expired" };
      if (asked++ > 0) await route.continue();
      else late.resolve(() => route.fulfill({ status: 401, json }));
    });
    const refuse = await late.promise;
    await page.click("#pause-all");
    await page.waitForSelector("#ask");
    const other = await token("olga", { scope: "operator" });
    await page.evaluate((hash) => {
      location.hash = hash;
    }, `token=${other}`);
    await page.waitForSelector(".who:has-text('olga')");
    expect(page.url()).toBe(`${t.gateway.url}/console/workers`);
    expect(await page.locator("#ask").count()).toBe(0);
    const next = looks(page, 3);
    await refuse();
    await next;
    expect(await page.textContent(".who")).toContain("olga");
    await page.close();
  },
  SLOW_MS,
);

test(
  "a change that is under way cannot be closed, and says how it ended",
  async () => {
    const page = await signedIn("/workers");
    const asked = Promise.withResolvers<void>();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    pause = async () => {
      asked.resolve();
      await held;
    };
    await page.click("#workers tbody button:has-text('Pause') >> nth=0");
    await page.click("#ask button[type=submit]");
    await asked.promise;
    for (let i = 0; i < 2; i++) await page.keyboard.press("Escape");
    await looks(page, 1);
    expect(await page.isVisible("#ask:has-text('Working…')")).toBe(true);
    expect(await page.isDisabled("#ask button:has-text('Cancel')")).toBe(true);
    release();
    await page.waitForSelector("#said:has-text('worker-1-e345a1f1: paused')");
    await page.waitForSelector("#ask", { state: "detached" });
    await page.close();
  },
  SLOW_MS,
);

/** In the page: a first frame that takes long, as on a slow machine, and what has the focus. */
function slowFrames(): void {
  const soon = requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (call) => soon(() => setTimeout(() => call(0), 2_000));
  new MutationObserver((_, observer) => {
    if (!document.querySelector("#token")) return;
    observer.disconnect();
    Object.assign(window, { focusAtFirst: document.activeElement?.id });
  }).observe(document, { childList: true, subtree: true });
}

test(
  "the field for the token has the focus as soon as it is there: nothing typed is lost",
  async () => {
    const page = await browser.newPage();
    await page.addInitScript(slowFrames);
    await page.route("**/console/app.js", async (route) => {
      await Bun.sleep(1_000);
      await route.continue();
    });
    await page.goto(`${t.gateway.url}/console`);
    await page.keyboard.type("typed at once");
    expect(await page.inputValue("#token")).toBe("typed at once");
    expect(await page.evaluate("focusAtFirst")).toBe("token");
    await page.close();
  },
  SLOW_MS,
);

test(
  "a page that is opened while the gateway is away signs in by itself once it is back",
  async () => {
    const page = await signedIn("/workers");
    await page.waitForSelector("#workers tbody tr");
    await page.route("**/v1/admin/me", (route) => route.abort());
    await page.reload();
    await page.waitForSelector("#sign-in-why:has-text('Trying again every few seconds')");
    await page.unroute("**/v1/admin/me");
    await page.waitForSelector("#workers tbody tr");
    await page.close();
  },
  SLOW_MS,
);

test(
  "a sale of ten thousand items is shown by the hundred, and an item found by a part of its name",
  async () => {
    const page = await signedIn("");
    await page.waitForSelector("#sale tbody tr");
    await page.route("**/v1/admin/sales", async (route) => {
      const answer = await route.fetch();
      const [sale] = (await answer.json()).sales;
      const items = Array.from({ length: 10_000 }, (_, i) => ({
        ...{ ...sale.items[0], sku: `sku-${i}`, name: `Item number ${i}` },
      }));
      await route.fulfill({ json: { sales: [{ ...sale, items }] } });
    });
    await page.goto(`${t.gateway.url}/console/sales?sale=spring`);
    await page.waitForSelector("#one-sale:has-text('Page 1 of 100')");
    expect(await page.locator("#one-sale tbody tr").count()).toBe(100);
    await page.click("#one-sale button:has-text('Later')");
    await page.waitForSelector("#one-sale tr:has-text('Item number 199')");
    await page.fill("#find-item", "NUMBER 9999");
    await page.waitForSelector("#one-sale:not(:has-text('Page'))");
    expect(await page.locator("#one-sale tbody tr").count()).toBe(1);
    await page.close();
  },
  SLOW_MS,
);

test(
  "letters that were counted long ago are not called current, and none is not called empty",
  async () => {
    world.change = (o) => ({
      ...o,
      dead: o.dead.map((d) => ({ ...d, atMs: o.atMs - 120_000 })),
    });
    const page = await signedIn("/dead");
    const row = "#dead-counts tr:has-text('orders.dead')";
    await page.waitForSelector(`${row}:has-text('as of 2 min ago')`);
    expect(await page.textContent(row)).toContain("unknown");
    world.change = (o) => o;
    await page.close();
  },
  SLOW_MS,
);

test(
  "a region whose dead letters nobody could ask for is named, in the list and after an action",
  async () => {
    unasked = ["us"];
    const letter = {
      id: "0000000a",
      queue: "payments.dead",
      region: "eu",
      reason: "payment_failed",
    };
    listLetters = async () => [{ ...letter, headers: {}, body: {} }];
    const page = await signedIn("/dead");
    await page.waitForSelector("#dead p:has-text('us did not answer: letters there')");
    await page.check("#letters tbody tr:nth-child(1) input");
    listLetters = async () => [];
    await page.click("#drop");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('1 not found: us did not answer')");
    await page.waitForSelector("#letters", { state: "detached" });
    expect(await page.textContent("#dead")).toContain("us did not answer");
    expect(await page.textContent("#dead")).not.toContain("No dead letters here");
    unasked = undefined;
    waiting = [{ region: "eu", messages: 4 }];
    await page.click("#dead button:has-text('Refresh')");
    await page.waitForSelector("#dead p:has-text('4 more in fulfilment.unrouted of eu')");
    expect(await page.textContent("#dead")).not.toContain("No dead letters here");
    waiting = undefined;
    await page.close();
  },
  SLOW_MS,
);

test(
  "a rate that jumped is shown beside the last one, and accepted or refused by an operator alone",
  async () => {
    const held: WaitingRate = { ...RATE, state: "held", last: "1.08", sinceMs: RATE.atMs };
    jumped = [held];
    const page = await signedIn("/rates-and-routes");
    await page.waitForSelector("#held:has-text('1.5'):has-text('1.08'):has-text('held')");
    expect(await page.textContent("#pairs")).toContain("EUR/USD");
    for (const verb of ["Accept", "Refuse"]) {
      await page.click(`#held button:has-text('${verb}…')`);
      await page.click("#ask button[type=submit]");
      await page.waitForSelector("#held:has-text('No rate has jumped')");
      jumped = [held];
      await page.click("#held button:has-text('Refresh')");
      await page.waitForSelector("#held td:has-text('1.5')");
    }
    expect(said).toEqual(["olga accept EUR/USD 1.5", "olga refuse EUR/USD 1.5"]);
    const viewer = await signedIn("/rates-and-routes", "vera", "viewer");
    await viewer.waitForSelector("#held td:has-text('1.5')");
    expect(await viewer.locator("#held button:has-text('Accept')").count()).toBe(0);
    await Promise.all([page.close(), viewer.close()]);
  },
  SLOW_MS,
);
