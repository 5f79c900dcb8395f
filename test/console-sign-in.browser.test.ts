// Signing in to the console, where it fails: at the issuer, by a token, and without the issuer.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Browser, chromium } from "playwright-core";
import { startTestGateway, type TestGateway, token } from "../gateway/testing.ts";
import { World } from "./console-world.ts";
import { startIssuer, type TestIssuer } from "./oidc-issuer.ts";

const SLOW_MS = 40_000;
let browser: Browser;
let t: TestGateway;
let issuer: TestIssuer;

beforeAll(async () => {
  const world = new World();
  issuer = startIssuer("sluice-console", () => token("olga", { scope: "operator" }));
  t = await startTestGateway({
    consoleOidc: { issuer: issuer.url, clientId: "sluice-console", scope: "openid" },
    overview: async () => world.overview(),
  });
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"];
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args });
}, SLOW_MS);

afterAll(async () => {
  await browser.close();
  await t.close();
  await issuer.stop();
});

test(
  "a sign-in that failed says who refused it and why; a token is taken however it was copied",
  async () => {
    const page = await browser.newPage();
    await page.goto(`${t.gateway.url}/console/workers`);
    issuer.denies = "access_denied";
    await page.click("#oidc");
    await page.waitForSelector("#sign-in-why:has-text(' did not sign you in: access denied')");
    issuer.denies = undefined;
    expect(page.url()).toBe(`${t.gateway.url}/console/workers`);
    await page.fill("#token", await token("olga", { audience: "another" }));
    await page.keyboard.press("Enter");
    await page.waitForSelector("#sign-in-why:has-text('the required value (aud)')");
    await page.route("**/.well-known/**", (route) => route.abort());
    await page.click("#oidc");
    await page.waitForSelector(`#sign-in-why:has-text("allow ${t.gateway.url} as a web origin")`);
    await page.fill("#token", `Bearer ${await token("olga", { scope: "operator" })} `);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#workers tbody tr");
    await page.close();
  },
  SLOW_MS,
);
