// The shop in a real browser (headless Chromium) on the running product: orders placed, followed,
// cancelled, and found again after an answer was lost and the page was reloaded. And the code of
// the how-tos, from another origin.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { Shop } from "../sdk/testing.ts";
import { run } from "../sdk/typescript/test/test-package.ts";
import { freePort } from "../services/ports.ts";
import { testDir } from "./services.ts";
import { until } from "./until.ts";

const SLOW_MS = 90_000;
const START_MS = 200_000;
const ITEMS = { lamp: 100, radio: 50, rare: 1 };
const ARGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];
const FORBIDDEN = {
  status: 403,
  headers: { "access-control-allow-origin": "*", "content-type": "application/problem+json" },
  body: JSON.stringify({ code: "forbidden", status: 403, title: "Not allowed with this token" }),
};
let browser: Browser;
let shop: Shop;
let gateway: string;
/** Somebody's own shop, by the how-to. */
let own: Bun.Server<undefined>;
let backend: Bun.Subprocess;
const HOWTO = join(import.meta.dir, "..", "docs", "howto");

beforeAll(async () => {
  const rates = `${testDir("shop-rates")}/rates.json`;
  await Bun.write(rates, JSON.stringify({ base: "EUR", rates: { JPY: "163.5", USD: "1.08" } }));
  [shop, browser] = await Promise.all([
    Shop.open(ITEMS),
    chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGS }),
  ]);
  await Promise.all([
    shop.stack.rates(rates),
    shop.stack.fulfil("warehouse"),
    shop.stack.route("c", "warehouse"),
  ]);
  const tokens = `http://127.0.0.1:${await freePort()}`;
  own = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (call) => ownShop(call, tokens) });
  const SLUICE_ORIGINS = own.url.origin;
  gateway = await shop.gateway({ SLUICE_SHOP: "yes", SLUICE_ORIGINS });
  const dir = testDir("shop-backend");
  symlinkSync(join(import.meta.dir, "..", "node_modules"), join(dir, "node_modules"));
  await Bun.write(join(dir, "backend.mjs"), codeOf("browser-shop.md", "backend.mjs"));
  const { SLUICE_JWT_SECRET } = shop.stack.env;
  const env = { ...process.env, SLUICE_JWT_SECRET, PORT: new URL(tokens).port };
  backend = Bun.spawn(["node", "backend.mjs"], { cwd: dir, env });
  await until("the backend", () =>
    fetch(tokens).then(
      ({ ok }) => !ok,
      () => false,
    ),
  );
}, START_MS);

afterAll(async () => {
  backend?.kill();
  await backend?.exited;
  await own?.stop(true);
  await browser?.close();
  await shop?.close();
}, SLOW_MS);

/** The code of a how-to's blocks whose first line names this file. */
function codeOf(page: string, file: string): string {
  const text = readFileSync(join(HOWTO, page), "utf8");
  const blocks = [...text.matchAll(/^```js\n\/\/ ([\w.]+)[^\n]*\n(.*?)^```/gms)];
  expect(blocks.length).toBeGreaterThan(0);
  return blocks.flatMap(([, name, code]) => (name === file ? [code] : [])).join("\n");
}

async function ownShop(call: Request, tokens: string): Promise<Response> {
  const { pathname } = new URL(call.url);
  if (pathname === "/token") {
    const cookie = call.headers.get("cookie") ?? "";
    return fetch(`${tokens}/token`, { method: call.method, headers: { cookie } });
  }
  const type = { headers: { "content-type": "text/javascript" } };
  if (pathname === "/shop.js") return new Response(codeOf("browser-shop.md", "shop.js"), type);
  const client = `{"imports": {"@sluice/client": "${gateway}/shop/sluice.js"}}`;
  const page =
    `<!doctype html><link rel="icon" href="data:,"><script type="importmap">${client}</script>` +
    `<script>GATEWAYS = ["${gateway}"]; USER = document.cookie.split("=")[1];</script>`;
  return new Response(page, { headers: { "content-type": "text/html" } });
}

interface Visit {
  readonly page: Page;
  /** Errors of the page, violations of its policy included. */
  readonly errors: string[];
  readonly user: () => Promise<string>;
}

/** A new visitor's page, as wide as a phone unless said. */
async function visit(width = 390, hash = ""): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width, height: 844 } });
  const page = await context.newPage();
  page.setDefaultTimeout(SLOW_MS);
  const errors: string[] = [];
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${gateway}/shop${hash}`);
  await page.waitForSelector("#items .item");
  const user = () =>
    page.evaluate(() => JSON.parse(localStorage.getItem("sluice-shop visit") ?? "{}").user);
  return { page, errors, user };
}

/** From now on orders reach the gateway, and the page never learns of it. */
async function cut(page: Page, sent: string[] = []): Promise<void> {
  await page.route("**/v1/orders", async (route) => {
    if (route.request().method() === "POST") {
      sent.push(JSON.parse(route.request().postData() ?? "{}").id);
      await route.fetch();
    }
    await route.abort();
  });
}

/** The line is good again. */
const uncut = (page: Page) => page.unrouteAll({ behavior: "ignoreErrors" });

/** How far the page is wider than its window, dark and light. */
async function overflow(page: Page): Promise<number[]> {
  const found: number[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    const { scrollWidth, clientWidth } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scrollWidth, clientWidth };
    });
    found.push(scrollWidth - clientWidth);
  }
  return found;
}

const add = (page: Page, sku: string) => page.click(`[data-key="add ${sku}"]`);
const status = (page: Page, state: string) => page.waitForSelector(`[data-status="${state}"]`);

test(
  "a press that outlasts a change of the stock is a click",
  async () => {
    const [{ page }, other] = [await visit(1_280), await visit()];
    const left = ".item:has-text('radio') .left";
    const button = page.locator('[data-key="add lamp"]');
    await button.hover();
    const before = await other.page.textContent(left);
    await page.mouse.down();
    await add(other.page, "radio");
    await other.page.click("#buy");
    await status(other.page, "dispatched");
    await other.page
      .locator(left)
      .filter({ hasNotText: before ?? "" })
      .waitFor();
    await page.waitForTimeout(1_500); // the stock has arrived here as well
    await page.mouse.up();
    await page.waitForSelector("#count:text-is('1')");
    await page
      .locator(left)
      .filter({ hasNotText: before ?? "" })
      .waitFor();
    for (const { page: each } of [{ page }, other]) await each.context().close();
  },
  SLOW_MS,
);

test(
  "two items are bought in yen with a maximum: outcome, life and stock arrive live",
  async () => {
    const { page, errors, user } = await visit();
    await page.waitForSelector("#currency option:text-is('JPY')", { state: "attached" });
    await page.selectOption("#currency", "JPY");
    await page.waitForSelector(".price:has-text('164')");
    for (const sku of ["lamp", "radio", "radio"]) await add(page, sku);
    // Three units of 1.00 EUR each, at 163.5 yen.
    await page.waitForSelector("#total:has-text('491')");
    expect(await page.inputValue("#most")).toBe("501");
    await page.fill("#most", "a lot");
    await page.waitForSelector("#most-wrong:has-text('An amount such as 491')");
    expect(await page.isDisabled("#buy")).toBe(true);
    await page.fill("#most", "600");
    await page.click("#buy");
    await status(page, "dispatched");
    expect(await page.textContent(".order .amount")).toContain("491");
    expect(await page.textContent(".order .verdict")).toContain("On its way");
    expect(await page.textContent("#news")).toContain("lamp, 2 × radio");
    await page.waitForSelector(".item:has-text('radio') .left:has-text('47 left')");
    const [order, ...others] = await shop.orders(await user());
    expect(order).toMatchObject({ currency: "JPY", maxTotal: 600, state: "dispatched" });
    expect([others, errors, await overflow(page)]).toEqual([[], [], [0, 0]]);
    await page.context().close();
  },
  SLOW_MS,
);

test(
  "an order is cancelled within two minutes by the keyboard; its units come back",
  async () => {
    // Nobody ships it: an order that has been dispatched cannot be cancelled.
    await shop.stack.route("c", "nobody");
    const { page, errors } = await visit(1440);
    await add(page, "lamp");
    await page.focus("#buy");
    await page.keyboard.press("Enter");
    await status(page, "paid");
    expect(await page.textContent(".order .undo time")).toMatch(/^(2:00|1:\d\d)$/);
    await page.focus(".order .undo button");
    await page.keyboard.press("Enter");
    await status(page, "cancelled");
    await page.waitForSelector(".order.calm:has-text('money')");
    expect([errors, await overflow(page)]).toEqual([[], [0, 0]]);
    await page.context().close();
  },
  SLOW_MS,
);

test(
  "an answer is lost and the page reloaded: it sends the same order, which counts once",
  async () => {
    const { page, user } = await visit();
    const sent: string[] = [];
    await cut(page, sent);
    await add(page, "lamp");
    await page.click("#buy");
    await status(page, "again");
    expect(await page.textContent(".order .verdict")).toContain("it can only count once");
    await uncut(page);
    await page.reload();
    await status(page, "paid");
    const orders = await shop.orders(await user());
    expect([new Set(sent), sent.length > 0]).toEqual([new Set(orders.map(({ id }) => id)), true]);
    expect(orders).toHaveLength(1);
    await page.context().close();
  },
  SLOW_MS,
);

test(
  "the last unit was accepted and its answer lost: it is not shown as sold out",
  async () => {
    const { page, user } = await visit();
    await cut(page);
    await add(page, "rare");
    await page.click("#buy");
    await status(page, "again");
    await until("the unit is taken", async () => (await shop.taken("rare")) === 1);
    await uncut(page);
    await page.reload();
    await page.waitForSelector("[data-status=paid], [data-status=sold_out]");
    expect(await page.getAttribute(".order", "data-status")).toBe("paid");
    expect(await shop.orders(await user())).toHaveLength(1);
    // For everybody else it is sold out, which is no trouble.
    const { page: other } = await visit();
    await other.waitForSelector(".item.gone:has-text('Sold out')");
    await other.context().close();
    await page.context().close();
  },
  SLOW_MS,
);

test(
  "sold out between the cart and the order is an outcome, told calmly",
  async () => {
    await shop.stack.sale({ last: 1 }, { id: "later", opensAtMs: Date.now() - 1_000 });
    await until("the sale", () => fetch(`${gateway}/v1/sales/later`).then(({ ok }) => ok));
    const { page } = await visit(390, "#later");
    await page.waitForSelector(".item:has-text('Only 1 left')");
    await add(page, "last");
    const token = await shop.token("faster");
    const lines = [{ sku: "last", qty: 1 }];
    await fetch(`${gateway}/v1/orders`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ id: Bun.randomUUIDv7(), saleId: "later", currency: "EUR", lines }),
    });
    // Before the page hears of it, or after: the cart still has the item.
    await page.click("#buy");
    await status(page, "sold_out");
    expect(await page.getAttribute(".order", "class")).toBe("order calm");
    expect(await overflow(page)).toEqual([0, 0]);
    expect(await page.textContent(".order .verdict")).toContain("Nothing was charged");
    await page.context().close();
  },
  SLOW_MS,
);

test(
  "before there is a sale the page says so, and shows the first one, whatever follows the #",
  async () => {
    const page = await browser.newPage();
    const none = { json: { sales: [] } };
    await page.route("**/v1/sales", (route) => route.fulfill(none));
    await page.goto(`${gateway}/shop#%`);
    await page.waitForSelector("#no-sale:has-text('There is no sale yet')");
    expect(await page.isVisible("#trouble")).toBe(false);
    await uncut(page);
    await page.waitForSelector("#items .item");
    expect(await page.isVisible("#no-sale")).toBe(false);
    await page.close();
  },
  SLOW_MS,
);

test(
  "the how-to's shop, from its own origin: an order in yen, cancelled; one cut off, found again",
  async () => {
    const context = await browser.newContext();
    await context.addCookies([{ name: "session", value: "olga", url: own.url.href }]);
    const page = await context.newPage();
    await page.goto(own.url.href);
    const bought = await page.evaluate(`(async () => {
      const { open, buy, cancel } = await import("/shop.js");
      let units;
      const sale = await open("demo", (stock) => (units = stock));
      const lines = [{ sku: "lamp", qty: 2 }];
      const order = { saleId: "demo", currency: "JPY", maxTotal: 400, lines };
      const seen = [];
      const id = await new Promise((paid) => {
        buy(order, ({ id }, status) => {
          seen.push(status);
          if (status === "paid") paid(id);
        });
      });
      const said = await cancel(id);
      while (localStorage.length > 0) await new Promise((then) => setTimeout(then, 20));
      return { name: sale.name, known: units.has("lamp"), seen, said };
    })()`);
    expect(bought).toMatchObject({ name: "Sale", known: true, said: "Cancelled" });
    const { seen } = bought as { seen: string[] };
    expect(seen.slice(0, 3)).toEqual(["accepted", "reserved", "paid"]);
    expect(seen.at(-1)).toBe("cancelled");
    await cut(page);
    await page.evaluate(`import("/shop.js").then(({ buy }) => {
      buy({ saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] }, () => undefined);
    })`);
    await until("the cut order", async () => (await shop.orders("olga")).length === 2);
    await uncut(page);
    const resumed = async (user: string, until: string): Promise<string[]> => {
      await context.addCookies([{ name: "session", value: user, url: own.url.href }]);
      await page.reload();
      return page.evaluate(`(async () => {
        const seen = [];
        await new Promise((done) => import("/shop.js").then(async ({ resume }) => {
          await resume((_, status) => seen.push(status) && status === "${until}" && done());
          done();
        }));
        return [...seen, localStorage.length];
      })()`);
    };
    // The next one on the same device has no part in it, and cannot lose it.
    expect(await resumed("rita", "")).toEqual([1] as never);
    // It may not be followed: it is ordered all the same.
    await page.route("**/v1/orders/*/events*", (call) => call.fulfill(FORBIDDEN));
    expect(await resumed("olga", "")).toEqual(["accepted", "unknown", 1] as never);
    await uncut(page);
    expect((await resumed("olga", "paid")).at(-2)).toBe("paid");
    const all = [await shop.orders("olga"), await shop.orders("rita")];
    expect(all.map(({ length }) => length)).toEqual([2, 0]);
    await context.close();
  },
  SLOW_MS,
);

const LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenschatulle";

/** The open sales, the lamp with a long name in each, as a gateway would list them. */
async function manySales(page: Page): Promise<void> {
  await page.route("**/v1/sales", async (route) => {
    const answer = await route.fetch();
    const { sales } = (await answer.json()) as { sales: { id: string; name: string }[] };
    const more = Array.from({ length: 12 }, (_, i) => ({
      ...{ ...sales[0], id: `drop-${i}`, name: `Winter drop number ${i + 1}, ${LONG}` },
    }));
    await route.fulfill({ response: answer, json: { sales: [...sales, ...more] } });
  });
  await page.route("**/v1/sales/demo", async (route) => {
    const answer = await route.fetch();
    const sale = (await answer.json()) as { name: string; items: { name: string }[] };
    const items = sale.items.map((item) => ({ ...item, name: LONG }));
    await route.fulfill({ response: answer, json: { ...sale, name: LONG, items } });
  });
}

test(
  "long words and many sales stay in the window; every sale can be chosen, and is named in full",
  async () => {
    for (const width of [390, 1440]) {
      const { page, errors } = await visit(width, "#demo");
      await manySales(page);
      await page.reload();
      await page.click(`#items .add >> nth=0`);
      await page.click("#buy");
      await page.waitForSelector(`.order h3:has-text("${LONG}")`);
      const beyond = await page.evaluate(() => {
        const inside = ".item h3, .item .add, .order > *, #lines li > *, #top > *, #news p";
        return [...document.querySelectorAll(inside)]
          .filter((part) => (part as HTMLElement).offsetParent !== null)
          .filter((part) => part.scrollWidth > part.clientWidth + 1)
          .map((part) => part.tagName)
          .concat(document.documentElement.scrollWidth > innerWidth ? ["the page"] : []);
      });
      expect([width, beyond]).toEqual([width, []]);
      const names = await page.locator("#sale option").allTextContents();
      const drops = names.filter((name) => name.startsWith("Winter drop number"));
      expect([drops.length, drops.at(-1)]).toEqual([12, `Winter drop number 12, ${LONG}`]);
      await page.selectOption("#sale", "drop-3");
      await page.waitForURL(/#drop-3$/);
      expect(errors).toEqual([]);
      await page.context().close();
    }
  },
  SLOW_MS,
);

test(
  "the how-to's rules for a phone, in Node: the answer is lost, and the order counts once",
  async () => {
    const dir = testDir("phone");
    const { line, url } = await shop.line(gateway);
    await Bun.write(join(dir, "place.mjs"), codeOf("mobile.md", "place.mjs"));
    const lines = '[{ sku: "lamp", qty: 1 }]';
    await Bun.write(
      join(dir, "phone.mjs"),
      `import { newId, place } from "./place.mjs";
      const order = { id: newId(), saleId: "demo", currency: "EUR", lines: ${lines} };
      console.log(order.id, await place(process.env.GATEWAY, process.env.TOKEN, order));`,
    );
    line.resetAfter("answers", 10);
    const env = { GATEWAY: url, TOKEN: await shop.token("pia") };
    const said = await run(dir, env, "node", "phone.mjs");
    await until("its order", async () => (await shop.orders("pia")).length > 0);
    const [order, ...others] = await shop.orders("pia");
    expect([said, others, line.counts.resets]).toEqual([`${order?.id} accepted\n`, [], 1]);
  },
  SLOW_MS,
);
