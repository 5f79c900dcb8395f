// The console in a real browser (headless Chromium) on a real gateway with a real ledger. Reports
// come from test/console-world.ts, letters from here.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Overview } from "../core/domain/overview.ts";
import type { LetterFilter } from "../gateway/ports.ts";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { FINDING, World } from "./console-world.ts";
import { startIssuer, type TestIssuer } from "./oidc-issuer.ts";
import { axeOf, clippedIn } from "./page-checks.ts";

const SLOW_MS = 40_000;
const HOSTILE = '<img src=x onerror="document.title=1">';
const PAGES = [
  ...["", "/orders?user=ann", "/sales", "/sales?sale=spring", "/sales?sale=new"],
  ...["/dead?reason=payments.dead+refused:+xxxxxxxxx", "/workers", "/rates-and-routes"],
  ...["/timeline", "/audit", "/orders"],
];
let browser: Browser;
let t: TestGateway;
let world: World;
let issuer: TestIssuer;
const asked: string[] = [];
const listed: string[] = [];
let letters: object[] = [];

const letter = (n: number, reason: string, queue = "payments.dead") => ({
  ...{ id: (0x1000 + n).toString(16).padStart(8, "0"), queue, region: "eu", reason },
  ...{ user: "ann", order: Bun.randomUUIDv7(), headers: {} },
  body: { order: "o1", atMs: Date.now() - 60_000 * n, amount: 1_000, currency: "EUR" },
});
const note = (what: string) => async (filter: LetterFilter) => {
  asked.push(`${what} ${JSON.stringify(filter)}`);
  const matched = filter.ids?.length ?? 1;
  return { matched, done: matched, left: [] };
};

beforeAll(async () => {
  issuer = startIssuer("sluice-console", () => token("olga", { scope: "operator" }));
  t = await startTestGateway({
    consoleOidc: { issuer: issuer.url, clientId: "sluice-console", scope: "openid" },
    overview: async () => world.overview(),
    letters: {
      list: async (filter) => {
        listed.push(JSON.stringify(filter));
        return { letters };
      },
      redrive: note("redrive"),
      drop: note("drop"),
    },
    workers: {
      pause: async (id) => [asked.push(`pause ${id}`) ? id : ""],
      resume: async (id) => [asked.push(`resume ${id}`) ? id : ""],
    },
  });
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);

afterAll(async () => {
  await browser.close();
  await t.close();
  await issuer.stop();
});

beforeEach(() => {
  world = new World();
  for (let i = 0; i < 20; i++) world.overview();
  letters = [letter(1, HOSTILE, "orders.dead"), letter(2, "payment_failed")];
  asked.length = 0;
  listed.length = 0;
});

/** A page that notes any console error, including CSP violations. */
async function open(path = "", options: object = {}): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  const errors: string[] = [];
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${t.gateway.url}/console${path}`);
  return { page, errors };
}

const signedIn = async (path = "", options: object = {}, scope = "operator") =>
  open(`${path}#token=${await token("olga", { scope })}`, options);

const change = (changed: (o: Overview) => Partial<Overview>) => {
  world.change = (o) => ({ ...o, ...changed(o) });
};
const textOf = async (page: Page, selector: string) => (await page.textContent(selector)) ?? "";
/** The number of units left of an item, as the overview shows it. */
const LEFT = "#sale tbody tr:has-text('Oak desk') td:nth-child(2)";
const changes = (page: Page, selector: string, was: string) =>
  page.waitForFunction(
    ([at, text]) =>
      [...document.querySelectorAll(at as string)].every((e) => e.textContent !== text),
    [selector, was],
  );

test(
  "an operator signs in by keyboard; the figures change; the page's policy blocks nothing",
  async () => {
    const { page, errors } = await open();
    await page.waitForSelector("#token:focus");
    await page.keyboard.type(await token("olga", { scope: "operator" }));
    await page.keyboard.press("Enter");
    const before = (await page.locator(LEFT).textContent()) ?? "";
    expect(Number.parseInt(before.replaceAll(",", ""), 10)).toBeGreaterThan(1_000);
    await page.locator(LEFT).filter({ hasNotText: before }).waitFor();
    await page.waitForSelector("#chart-orders canvas");
    expect(await textOf(page, "#verdict h2")).toContain("All is well");
    expect((await page.locator("#verdict svg").boundingBox())?.height).toBeLessThan(60);
    expect(await textOf(page, "#rates")).toContain("Sold out");
    expect(await textOf(page, "#flow .step:nth-child(5)")).toMatch(/Payments.*\/s/);
    expect(await textOf(page, "#flow .step.slow .name")).toBe("Payments");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a token leaves the address, a deep link stays; without a scope it is refused with the reason",
  async () => {
    const { page } = await signedIn("/workers");
    await page.waitForSelector("#workers tbody tr");
    expect(page.url()).toBe(`${t.gateway.url}/console/workers`);
    await page.click("#leave");
    await page.waitForSelector("#sign-in");
    await page.close();
    const { page: other } = await open(`#token=${await token("ann")}`);
    await other.waitForSelector("#sign-in-why:has-text('Not allowed')");
    expect(await other.isVisible("main#main")).toBe(false);
    await other.close();
  },
  SLOW_MS,
);

test(
  "sign-in at an issuer, with PKCE, leads back to the page; a foreign answer is not believed",
  async () => {
    const { page, errors } = await open("/workers");
    await page.click("#oidc");
    await page.waitForSelector("#workers tbody tr");
    expect(page.url()).toBe(`${t.gateway.url}/console/workers`);
    expect([issuer.refused, errors]).toEqual([[], []]);
    await page.click("#leave");
    await page.goto(`${t.gateway.url}/console?code=stolen&state=foreign`);
    await page.waitForSelector("#sign-in-why:has-text('did not begin in this tab')");
    expect(page.url()).toBe(`${t.gateway.url}/console`);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a viewer sees the same and has no button that acts",
  async () => {
    const { page } = await signedIn("/workers", {}, "viewer");
    await page.waitForSelector("#workers tbody tr:has-text('worker-1')");
    expect(await page.locator("main button").count()).toBe(0);
    await page.goto(`${t.gateway.url}/console/dead?reason=payments.dead payment_failed`);
    await page.waitForSelector("#letters tbody tr");
    expect(await page.locator("#redrive, #drop, input[type=checkbox]").count()).toBe(0);
    await page.close();
  },
  SLOW_MS,
);

test(
  "links, titles and the back button; the keyboard reaches the content and keeps its place",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#sale tbody tr");
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.textContent)).toContain("Skip");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#main:focus");
    await page.focus("nav a[href='/console/workers']");
    await page.keyboard.press("Enter");
    await page.waitForSelector("h1:focus:has-text('Workers and regions')");
    expect(await page.title()).toBe("Workers and regions · Sluice");
    await page.focus("#workers tbody button");
    const shown = await textOf(page, "#shards tbody");
    await changes(page, "#shards tbody", shown);
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Pause");
    await page.goBack();
    await page.waitForSelector("#verdict");
    expect(new URL(page.url()).pathname).toBe("/console");
    await page.close();
  },
  SLOW_MS,
);

test(
  "a worker is paused once the change has been shown and confirmed, and not before",
  async () => {
    const { page, errors } = await signedIn("/workers");
    await page.click("#workers tbody button:has-text('Pause') >> nth=0");
    await page.waitForSelector("#ask:has-text('its shards go to the others')");
    await page.keyboard.press("Escape");
    await page.waitForSelector("#ask", { state: "detached" });
    expect(asked).toEqual([]);
    await page.click("#workers tbody button:has-text('Pause') >> nth=0");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('worker-1-e345a1f1: paused')");
    await page.click("#pause-all");
    await page.waitForSelector("#ask:has-text('No order is decided until you resume one')");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('all workers: paused')");
    expect(asked).toEqual(["pause worker-1-e345a1f1", "pause *"]);
    change((o) => ({
      roles: o.roles.map((r) =>
        r.kind === "worker"
          ? { ...r, governor: { ...r.governor, state: "paused", reasons: ["operator"] } }
          : r,
      ),
    }));
    await page.waitForSelector("#workers tbody button:has-text('Resume')");
    expect(await textOf(page, "#workers tbody .state")).toContain("paused · by an operator");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "dead letters are grouped; only the selected rows are acted on; strangers' text stays text",
  async () => {
    letters = [
      letter(0, HOSTILE, "orders.dead"),
      ...Array.from({ length: 120 }, (_, i) => letter(i + 1, "payment_failed")),
    ];
    const { page, errors } = await signedIn("/dead");
    await page.waitForSelector("#dead tbody tr:has-text('onerror')");
    expect(await textOf(page, "#dead tbody tr:has-text('payment_failed')")).toContain("€1,200.00");
    await page.click("#dead tbody a:has-text('payment_failed')");
    await page.waitForSelector("#letters:has-text('Page 1 of 3')");
    expect(await page.isDisabled("#drop")).toBe(true);
    await page.click("#letters button:has-text('Later')");
    await page.check("#letters tbody tr:nth-child(2) input");
    await page.check("#letters tbody tr:nth-child(4) input");
    await page.click("#drop:has-text('Drop 2 selected')");
    // The oldest come first: each letter of the list is older than the one before.
    const ids = [letters[69], letters[67]].map((l) => (l as { id: string }).id);
    for (const id of ids) await page.waitForSelector(`#ask:has-text('${id}')`);
    expect(asked).toEqual([]);
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('2 dropped')");
    expect(asked).toEqual([`drop ${JSON.stringify({ ids })}`]);
    await page.goto(`${t.gateway.url}/console/dead?reason=orders.dead ${HOSTILE}`);
    await page.click("#letters tbody button.link");
    await page.waitForSelector(`#letter[open] dd:has-text('onerror')`);
    await page.click("#letter button:has-text('Redrive')");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('1 redriven')");
    expect(await page.title()).toBe("Dead letters · Sluice");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "letters are listed when their number has changed, and not every second",
  async () => {
    const { page } = await signedIn("/dead");
    await page.waitForSelector("#dead tbody tr");
    const first = listed.length;
    const before = (await page.request.get(`${t.gateway.url}/healthz`)).ok();
    let looks = 0;
    page.on("response", (r) => void (r.url().endsWith("/overview") && looks++));
    while (looks < 3) await Bun.sleep(50);
    expect([before, listed.length]).toEqual([true, first]);
    world.letters = 3;
    while (listed.length === first) await Bun.sleep(50);
    await page.waitForSelector("nav .badge:has-text('3')");
    await page.selectOption("#dead-queue", "fulfilment.unrouted");
    while (!listed.includes('{"queue":"fulfilment.unrouted"}')) await Bun.sleep(50);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a sale is created and changed; each change is shown before it is sent",
  async () => {
    const { page, errors } = await signedIn("/sales?sale=spring");
    await page.click("button[aria-label='Restock Lamp']");
    await page.fill("#ask input[name=units]", "5");
    await page.waitForSelector("#ask li:has-text('100'):has-text('105')");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#said:has-text('Lamp is restocked')");
    await page.waitForSelector("#one-sale tbody tr:has-text('Lamp') td:has-text('105')");
    await page.click("button[aria-label='Price Chair']");
    await page.fill("#ask input[name=price]", "99,5");
    await page.fill("#ask input[name=reason]", "the last ones");
    await page.waitForSelector("#ask li:has-text('€129.00'):has-text('€99.50')");
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#one-sale tr:has-text('Chair') small:has-text('€99.50')");
    await page.goto(`${t.gateway.url}/console/sales?sale=new`);
    for (const [name, text] of Object.entries({ id: "winter", name: "Winter sale" }))
      await page.fill(`input[name=${name}]`, text);
    // Browsers take it for a currency without fractions.
    await page.fill("input[name=currency]", "HUF");
    const item = ["skates", "Skates", "sport", "80.00", "40", "2"];
    for (const [i, text] of item.entries()) await page.locator("fieldset input").nth(i).fill(text);
    await page.click("button:has-text('Preview')");
    await page.waitForSelector(
      "#ask li:has-text('Skates: 40 units at HUF 80.00, at most 2 per user')",
    );
    await page.click("#ask button[type=submit]");
    await page.waitForSelector("#one-sale tbody tr:has-text('Skates')");
    const [sale] = await t.ledger.sales(["winter"]);
    expect(sale).toMatchObject({
      name: "Winter sale",
      items: [{ priceMinor: 8_000, initial: 40 }],
    });
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

const redisAway = (o: Overview): Partial<Overview> => {
  const then = o.atMs - 42_000;
  return {
    redis: { ...o.redis, state: "away" },
    unasked: ["redis"],
    asOf: { ...o.asOf, roles: then, sales: then, dead: then },
    verdict: { level: "trouble", findings: [FINDING] },
  };
};

test(
  "with Redis away the last known values stay, with their age; nothing becomes zero",
  async () => {
    world.letters = 7;
    const { page } = await signedIn();
    await page.waitForSelector("nav .badge:has-text('7')");
    const left = await textOf(page, LEFT);
    change((o) => ({ ...redisAway(o), sales: o.sales }));
    await page.waitForSelector("#verdict.trouble h2:has-text('Redis does not answer')");
    expect(await textOf(page, "#verdict")).toContain("Bring Redis back");
    const link = await page.getAttribute("#verdict a >> nth=-1", "href");
    expect(link).toBe("/console/operations#redis-does-not-answer");
    await page.waitForSelector("#sale p.unknown:has-text('no answer from Redis')");
    expect(await textOf(page, "#sale p.unknown")).toContain("old");
    expect(Number.parseInt((await textOf(page, LEFT)).replaceAll(",", ""), 10)).toBeGreaterThan(
      Number.parseInt(left.replaceAll(",", ""), 10) / 2,
    );
    expect(await page.locator("#stores li:has-text('Redis')").textContent()).toContain("away");
    await page.click("nav a[href='/console/workers']");
    await page.waitForSelector("#workers .stale tr:has-text('worker-2')");
    await page.click("nav a[href='/console/dead']");
    await page.waitForSelector("#dead-counts .stale tr:has-text('7')");
    await page.goto(`${t.gateway.url}${link}`);
    expect(await page.locator("#redis-does-not-answer").textContent()).toContain(
      "Redis does not answer",
    );
    await page.close();
  },
  SLOW_MS,
);

test(
  "what was never known is unknown, not zero and not none",
  async () => {
    change((o) => ({
      ...redisAway(o),
      asOf: { ...o.asOf, roles: null, sales: null, dead: null },
      ...{ sales: [], roles: [], dead: [] },
    }));
    const { page, errors } = await signedIn();
    for (const id of ["sale", "rates", "flow", "chart-waits"])
      await page.waitForSelector(`#${id} p.unknown:has-text('Unknown: no answer from Redis')`);
    await page.click("nav a[href='/console/dead']");
    await page.waitForSelector("#dead-counts p.unknown");
    await page.click("nav a[href='/console/workers']");
    await page.waitForSelector("#workers p.unknown");
    expect(await textOf(page, "main")).not.toContain("No workers are running");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a panel that cannot be drawn says so and keeps what it had; the others go on",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#sale tbody tr");
    change(() => ({ sales: [{ id: "broken" }] as never }));
    await page.waitForSelector("#sale p.unknown:has-text('could not be drawn')");
    expect(await textOf(page, "#sale .stale")).toContain("Oak desk");
    const flow = await textOf(page, "#flow .steps");
    await changes(page, "#flow .steps", flow);
    change(() => ({}));
    await page.waitForSelector("#sale p.unknown", { state: "detached" });
    await page.close();
  },
  SLOW_MS,
);

test(
  "without a sale, a worker or anything measured it stays alive, through a halt too",
  async () => {
    world.workers = [];
    const orders = { overMs: null, accepted: null, decided: null, byOutcome: {} };
    change((o) => ({
      ...{ sales: [], roles: [], dead: [], asOf: { ...o.asOf, dead: null } },
      orders: { ...orders, soldOut: null, rejected: null, refused: {}, shed: null },
    }));
    const { page, errors } = await signedIn();
    await page.waitForSelector("#sale:has-text('There is no sale')");
    expect(await textOf(page, "#rates .figure dd")).toBe("unknown");
    change((o) => ({
      verdict: {
        level: "trouble",
        findings: [{ ...FINDING, code: "halted", what: "Sluice is halted", sinceMs: null }],
      },
      halt: { reason: "the ledger is behind", atMs: o.atMs },
    }));
    await page.waitForSelector("#verdict h2:has-text('Sluice is halted')");
    await page.waitForSelector("#sale tbody tr:has-text('Oak desk')");
    await page.click("nav a[href='/console/workers']");
    await page.waitForSelector("#workers:has-text('No workers are running')");
    await page.waitForSelector("#age:has-text('live')");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a gateway that does not answer is named, and is asked once at a time",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#sale tbody tr");
    let looks = 0;
    await page.route("**/v1/admin/overview", () => void looks++);
    await page.waitForSelector("#age:has-text('no answer for')", { timeout: 15_000 });
    expect(looks).toBe(1);
    await page.waitForSelector("#verdict.unknown:has-text('It was \"All is well\"')");
    await page.waitForSelector("#sale .stale tr");
    await page.unroute("**/v1/admin/overview");
    await page.waitForSelector("#age:has-text('live')", { timeout: 15_000 });
    await page.waitForSelector("#verdict.ok");
    await page.close();
  },
  SLOW_MS,
);

/** Everything at once: findings, letters, and more rows than a screen has. */
function flood(): void {
  world.letters = 1_215;
  world.workers = Array.from({ length: 9 }, (_, i) => `worker-${i}-0123456789abcdef`);
  letters = Array.from({ length: 70 }, (_, i) =>
    letter(i, `refused: ${"x".repeat(i % 2 ? 90 : 9)}`),
  );
  change((o) => ({
    verdict: {
      level: "trouble",
      findings: ["one", "two", "three"].map((what) => ({ ...FINDING, what, subject: what })),
    },
    routing: [{ category: "art", saleId: "autumn", service: null }],
    sales: o.sales.map((sale) => ({
      ...sale,
      items: Array.from({ length: 300 }, (_, i) => ({
        ...(sale.items[1] as (typeof sale.items)[number]),
        ...{ sku: `sku-${i}`, name: `An item with rather a long name, number ${i}` },
      })),
    })),
  }));
}

test.each(PAGES)(
  "%p: no finding of axe and no clipped column from 390 to 2,560 pixels, light or dark",
  async (path) => {
    flood();
    const colorScheme = PAGES.indexOf(path) % 2 === 0 ? "light" : "dark";
    const options = { colorScheme, bypassCSP: true, reducedMotion: "reduce" };
    const { page } = await signedIn(path, options);
    await page.waitForSelector("main .panel, main form");
    await page.waitForFunction(() => !document.body.textContent?.includes("Loading…"));
    await page.waitForSelector("#age:has-text('live')");
    expect([...(await clippedIn(page)), ...(await axeOf(page))]).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);
