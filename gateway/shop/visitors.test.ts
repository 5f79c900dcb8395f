// The shop is off unless asked for; its visitors get short tokens, as nobody but themselves.
import { afterEach, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { SettingError } from "../../core/settings/settings.ts";
import { bearer, closeGateways, order, post, start, startTestGateway, token } from "../testing.ts";
import { openShop } from "./open.ts";

afterEach(closeGateways);

interface Visit {
  readonly token: string;
  readonly user: string;
  readonly expiresAt: string;
}

async function enter(url: string, last?: string): Promise<Visit> {
  const headers: Record<string, string> =
    last === undefined ? {} : { authorization: `Bearer ${last}` };
  const answer = await fetch(`${url}/shop/token`, { method: "POST", headers });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Visit;
}

test("without the setting there is no shop and no token", async () => {
  const { gateway } = await start();
  for (const [method, path] of [
    ["GET", "/shop"],
    ["GET", "/shop/sluice.js"],
    ["POST", "/shop/token"],
  ])
    expect((await fetch(gateway.url + path, { method })).status).toBe(404);
});

test("a shop needs a secret to sign with", async () => {
  const key = { kind: "pem", pem: "" } as const;
  const auth = { algorithm: "RS256", issuer: "i", audience: "a", key } as const;
  const opened = startTestGateway({ shop: true, auth });
  expect(await opened.catch((error) => error)).toBeInstanceOf(Error);
  const limits = { visitors: { perSecond: 1, burst: 1 } };
  const deps = { runtime: undefined as never, clock: Date.now, limits };
  const refused = await openShop({ ...deps, auth }).catch((error) => error);
  expect(refused).toBeInstanceOf(SettingError);
  expect(refused.message).toContain("SLUICE_JWT_SECRET");
});

test("every file of the page is served under a policy without inline or foreign code", async () => {
  const { gateway } = await start({ shop: true });
  const page = await (await fetch(`${gateway.url}/shop`)).text();
  expect(page).not.toMatch(/<script[^>]*>[^<]|style="|\son\w+="|https?:\/\//);
  const seen = new Set<string>();
  const wanted = ["/shop/app.js", "/shop/style.css"];
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const answer = await fetch(gateway.url + path);
    expect([path, answer.status]).toEqual([path, 200]);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await answer.text();
    for (const [, name] of text.matchAll(/^(?:import|} from)[^"\n]*"\.\/([\w-]+\.js)"/gm))
      wanted.push(`/shop/${name}`);
  }
  expect(seen).toContain("/shop/sluice.js");
  expect(seen.size).toBeGreaterThanOrEqual(10);
});

test("a visitor is a new buyer, without any scope, for a quarter of an hour", async () => {
  const { gateway } = await start({ shop: true });
  const [first, second] = [await enter(gateway.url), await enter(gateway.url)];
  expect(first.user).toMatch(/^visitor-/);
  expect(second.user).not.toBe(first.user);
  const { exp = 0, iat = 0, scope } = decodeJwt(first.token);
  expect([exp - iat, scope]).toEqual([900, undefined]);
  expect(Date.parse(first.expiresAt)).toBe(exp * 1_000);
  const headers = { authorization: `Bearer ${first.token}` };
  expect((await post(`${gateway.url}/v1/orders`, order(), headers)).status).toBe(202);
  expect((await fetch(`${gateway.url}/v1/admin/overview`, { headers })).status).toBe(403);
});

test("the last token renews its visitor, until a day after it ended", async () => {
  let nowMs = Date.now();
  const { gateway } = await start({ shop: true, clock: () => nowMs });
  const first = await enter(gateway.url);
  nowMs += 23 * 3_600_000;
  const later = await enter(gateway.url, first.token);
  expect([later.user, later.token === first.token]).toEqual([first.user, false]);
  nowMs += 25 * 3_600_000;
  expect((await enter(gateway.url, first.token)).user).not.toBe(first.user);
});

test("nobody else's token becomes a visitor's", async () => {
  const { gateway } = await start({ shop: true });
  const { user } = await enter(gateway.url);
  const forged = await token(user, { secret: "another secret that is long enough" });
  for (const given of [await token("ann"), await token("ops", { scope: "operator" }), forged, "x"])
    expect((await enter(gateway.url, given)).user).toMatch(/^visitor-(?!ann|ops)/);
  expect((await enter(gateway.url, forged)).user).not.toBe(user);
  const scoped = await enter(gateway.url, await token(user, { scope: "operator" }));
  expect([scoped.user, decodeJwt(scoped.token).scope]).toEqual([user, undefined]);
});

test("an address gets a bounded number of tokens", async () => {
  const limits = { visitors: { perSecond: 0.01, burst: 2 } };
  const { gateway } = await start({ shop: true, limits });
  await enter(gateway.url);
  await enter(gateway.url);
  const answer = await fetch(`${gateway.url}/shop/token`, {
    method: "POST",
    headers: await bearer("ann"),
  });
  expect([answer.status, Number(answer.headers.get("retry-after")) > 1]).toEqual([429, true]);
});
