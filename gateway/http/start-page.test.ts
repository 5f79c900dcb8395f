// A gateway's own address leads on: a browser to a page, a program to an index.
import { afterEach, expect, test } from "bun:test";
import { closeGateways, start } from "../testing.ts";

afterEach(closeGateways);

const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const get = (url: string, accept?: string) =>
  fetch(`${url}/`, { headers: accept === undefined ? {} : { accept } });

test("a browser gets a page whose links all lead somewhere", async () => {
  const { gateway } = await start({ shop: true });
  const answer = await get(gateway.url, BROWSER);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(answer.headers.get("vary")).toContain("Accept");
  const paths = [...(await answer.text()).matchAll(/href="([^"]+)"/g)].map(([, path]) => path);
  expect(paths).toContain("/shop");
  for (const path of paths) {
    const { status } = await fetch(`${gateway.url}${path}`);
    expect([path, status]).toEqual([path, 200]);
  }
});

test("a program gets an index, whatever it accepts but pages", async () => {
  const { gateway } = await start();
  const json = "application/json";
  for (const accept of [undefined, "*/*", json, `${json}, text/html;q=0.5`]) {
    const answer = await get(gateway.url, accept);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const { links } = (await answer.json()) as { links: Record<string, string> };
    expect(links).toMatchObject({ docs: "/docs", sales: "/v1/sales", console: "/console" });
  }
});

test("the shop is named only where there is one, and the installation nowhere", async () => {
  const { gateway } = await start({ id: "gw-secret" });
  for (const accept of ["application/json", BROWSER]) {
    const text = await (await get(gateway.url, accept)).text();
    expect(text).not.toContain("/shop");
    expect(text).not.toContain("gw-secret");
  }
});

test("other paths are still not found, and other methods not allowed", async () => {
  const { gateway } = await start();
  expect((await fetch(`${gateway.url}/nothing`)).status).toBe(404);
  const posted = await fetch(`${gateway.url}/`, { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET"]);
  expect((await fetch(`${gateway.url}/`, { method: "HEAD" })).status).toBe(200);
});

test("a browser at an address that is none is led on; a call gets the problem", async () => {
  const { gateway } = await start({ shop: true });
  const at = (path: string, accept: string) =>
    fetch(`${gateway.url}${path}`, { headers: { accept } });
  const page = await at("/consle", BROWSER);
  expect([page.status, page.headers.get("content-type")]).toEqual([
    404,
    "text/html; charset=utf-8",
  ]);
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await page.text()).toContain('href="/console"');
  for (const [path, accept] of [
    ["/consle", "*/*"],
    ["/v1/nothing", BROWSER],
  ] as const) {
    const answer = await at(path, accept);
    expect([path, answer.status]).toEqual([path, 404]);
    expect(await answer.json()).toMatchObject({ code: "not_found" });
  }
});
