// The console in a real browser (headless Chromium) on a real gateway.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Finding } from "../core/domain/finding.ts";
import type { Overview } from "../core/domain/report.ts";
import {
  gatewayReport,
  overviewItem,
  overviewOf,
  workerReport,
} from "../core/domain/test-reports.ts";
import type { LetterFilter } from "../gateway/ports.ts";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";

const SLOW_MS = 30_000;
const HOSTILE = '<img src=x onerror="document.title=1">';
let browser: Browser;
let t: TestGateway;
let sold = 0;
let redisUp = true;
const asked: string[] = [];
const listed: string[] = [];
let deadLetters = 1;

function overview(): Overview {
  sold += 10;
  const worker = workerReport({
    loopDelayMs: 3,
    shards: [
      {
        shard: 0,
        load: 2,
        parked: 0,
        regions: [{ region: "eu", lagMs: 120, ready: 3, lookedAtMs: 1 }],
      },
    ],
    outcomes: { reserved: sold },
  });
  const gateway = gatewayReport({
    loopDelayMs: 3,
    rows: { confirmed: sold, shed: 0, unconfirmed: 0 },
    sockets: 5,
  });
  const sale = { id: "spring", name: "Spring", opensAtMs: 0, closesAtMs: 1, revenue: null };
  const units = { total: 1_000, available: 1_000 - sold, releasing: 0, held: 4, sold: sold - 4 };
  const redisAway = { code: "redis_away", level: "trouble", subject: "", what: "Redis is away" };
  return overviewOf({
    atMs: Date.now(),
    redis: { state: redisUp ? "up" : "away", usedBytes: 1, maxBytes: 0 },
    verdict: redisUp
      ? { level: "ok", findings: [] }
      : { level: "trouble", findings: [{ ...redisAway, ...NO_ADVICE } as Finding] },
    sales: [{ ...sale, stockAsOfMs: Date.now(), items: [overviewItem(units)] }],
    roles: [gateway, worker],
    dead: [{ queue: "payments.dead", region: "eu", messages: deadLetters }],
  });
}

const NO_ADVICE = { affects: "", next: "", sinceMs: null, anchor: "redis-does-not-answer" };

const LETTER = {
  id: "l1",
  queue: "payments.dead",
  region: "eu",
  reason: HOSTILE,
  headers: {},
  body: { order: "o1" },
};
const note = (what: string) => async (filter: LetterFilter) => {
  asked.push(`${what} ${JSON.stringify(filter)}`);
  return { matched: 1, done: 1, left: [] };
};

beforeAll(async () => {
  t = await startTestGateway({
    overview: async () => overview(),
    letters: {
      list: async (filter) => {
        listed.push(JSON.stringify(filter));
        return [LETTER];
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
});

/** A page that fails the test on any console error, including CSP violations. */
async function open(
  hash = "",
  size = { width: 1280, height: 900 },
): Promise<{ page: Page; errors: string[] }> {
  const page = await browser.newPage({ viewport: size });
  const errors: string[] = [];
  page.on("console", (m) => m.type() === "error" && errors.push(m.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`${t.gateway.url}/console${hash}`);
  return { page, errors };
}

const signedIn = async (size?: { width: number; height: number }) =>
  open(`#token=${await token("ops", { scope: "operator" })}`, size);

test(
  "an operator signs in; the figures change; the page's policy blocks nothing",
  async () => {
    const { page, errors } = await open();
    await page.fill("#token", await token("ops", { scope: "operator" }));
    await page.click("#sign-in button");
    await page.waitForSelector("#stock tbody tr:has-text('lamp')");
    const left = async () =>
      Number((await page.textContent("#stock tbody td:nth-child(2)"))?.replace(",", ""));
    const before = await left();
    await page.waitForFunction(
      (was) =>
        Number(
          document.querySelector("#stock tbody td:nth-child(2)")?.textContent?.replace(",", ""),
        ) < was,
      before,
    );
    await page.waitForSelector("#chart-orders canvas");
    expect(await page.textContent("#verdict")).toBe("All is well");
    expect(await page.textContent("#workers tbody")).toContain("worker-1");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a token leaves the address at once; one without operator scope is refused with the reason",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#stock tbody tr:has-text('lamp')");
    expect(page.url()).toBe(`${t.gateway.url}/console`);
    await page.close();
    const { page: other } = await open(`#token=${await token("ann")}`);
    await other.waitForSelector("#sign-in-why:has-text('Not allowed')");
    expect(await other.isVisible("#board")).toBe(false);
    await other.close();
  },
  SLOW_MS,
);

test(
  "a worker is paused; a dead letter is shown as text, resent, and dropped on the second click",
  async () => {
    const { page, errors } = await signedIn();
    await page.click("#workers tbody button:has-text('Pause')");
    await page.waitForSelector("#said:has-text('worker-1: paused')");
    await page.click("#resume-all");
    await page.waitForSelector("#said:has-text('all workers: resumed')");
    await page.waitForSelector("#dead tbody tr:has-text('payments.dead')");
    expect(await page.textContent("#dead tbody td.text")).toBe(HOSTILE);
    await page.click("#dead tbody button");
    await page.waitForSelector("#letter[open]");
    expect(await page.textContent("#letter dl")).toContain(HOSTILE);
    await page.click("#letter-redrive");
    await page.waitForSelector("#said:has-text('1 redriven')");
    await page.click("#dead tbody button");
    await page.click("#letter-drop");
    expect(asked.some((a) => a.startsWith("drop"))).toBe(false);
    await page.click("#letter-drop");
    await page.waitForSelector("#said:has-text('1 dropped')");
    expect(asked).toEqual([
      "pause worker-1",
      "resume *",
      'redrive {"id":"l1"}',
      'drop {"id":"l1"}',
    ]);
    expect(await page.title()).toBe("Sluice console");
    expect(errors).toEqual([]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "an action on all asks for confirmation, and lapses without a second click",
  async () => {
    const { page } = await signedIn();
    asked.length = 0;
    await page.click("#pause-all");
    await page.waitForSelector("#pause-all:has-text('Pause all workers?')");
    await page.waitForSelector("#pause-all:text-is('Pause all')", { timeout: 10_000 });
    expect(asked).toEqual([]);
    await page.click("#pause-all");
    await page.click("#pause-all");
    await page.waitForSelector("#said:has-text('all workers: paused')");
    await page.waitForSelector("#dead tbody button");
    await page.click("#redrive-these");
    await page.click("#redrive-these");
    await page.waitForSelector("#said:has-text('1 redriven')");
    expect(asked).toEqual(["pause *", "redrive {}"]);
    await page.close();
  },
  SLOW_MS,
);

test(
  "dead letters are filtered, resent or dropped; brokers are read when their number changes",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#dead tbody button");
    asked.length = 0;
    listed.length = 0;
    await page.waitForFunction(
      (was) => document.querySelector("#age")?.textContent === was,
      "live",
    );
    await Bun.sleep(2_500);
    expect(listed).toEqual([]);
    deadLetters++;
    while (listed.length === 0) await Bun.sleep(50);
    await page.selectOption("#dead-queue", "payments.dead");
    await page.fill("#dead-reason", "declined");
    await page.press("#dead-reason", "Enter");
    while (!listed.includes('{"queue":"payments.dead","reason":"declined"}')) await Bun.sleep(50);
    await page.click("#drop-these");
    await page.click("#drop-these:has-text('for good')");
    await page.waitForSelector("#said:has-text('1 dropped')");
    expect(asked).toEqual(['drop {"queue":"payments.dead","reason":"declined"}']);
    await page.close();
  },
  SLOW_MS,
);

test(
  "a button keeps the keyboard focus although its table is redrawn every second",
  async () => {
    const { page } = await signedIn();
    await page.focus("#workers tbody button");
    const first = await page.$("#workers tbody button");
    await page.waitForFunction(
      (button) => !(button as unknown as { isConnected: boolean }).isConnected,
      first,
    );
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Pause");
    asked.length = 0;
    await page.keyboard.press("Enter");
    await page.waitForSelector("#said:has-text('worker-1: paused')");
    await page.close();
  },
  SLOW_MS,
);

test(
  "an unanswered request to a gateway times out before the next one starts",
  async () => {
    const { page } = await signedIn();
    await page.waitForSelector("#stock tbody tr:has-text('lamp')");
    let looks = 0;
    await page.route("**/v1/admin/overview", () => void looks++);
    await page.waitForSelector("#age:has-text('no answer for 4 s')", { timeout: 10_000 });
    expect(looks).toBe(1);
    await page.waitForFunction(
      () => document.querySelector("#age")?.textContent?.includes("no answer for 8 s"),
      undefined,
      {
        timeout: 10_000,
      },
    );
    expect(looks).toBe(2);
    await page.close();
  },
  SLOW_MS,
);

test.each([
  [390, 844],
  [1920, 1080],
])(
  "the page fits a screen of %d × %d",
  async (width, height) => {
    const { page } = await signedIn({ width, height });
    await page.waitForSelector("#chart-stock canvas");
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBeLessThanOrEqual(0);
    await page.close();
  },
  SLOW_MS,
);

test(
  "problems are shown first, and so is a gateway that does not answer",
  async () => {
    const { page } = await signedIn();
    redisUp = false;
    await page.waitForSelector("#verdict.trouble:has-text('Redis is away')");
    redisUp = true;
    await page.waitForSelector("#verdict.ok");
    await page.route("**/v1/admin/overview", (route) => route.abort());
    await page.waitForSelector("#age:has-text('no answer for')", { timeout: 10_000 });
    await page.unroute("**/v1/admin/overview");
    await page.waitForSelector("#age:has-text('live')");
    await page.close();
  },
  SLOW_MS,
);
