// The clients claim and report parts over HTTP, through a line that loses an answer.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { pythonWithAiohttp } from "../sdk/python/test/test-python.ts";
import { HttpParts, type Part, Service, Sluice } from "../sdk/typescript/src/index.ts";
import { PartsShop } from "./parts-shop.ts";

const TIMEOUT_MS = 120_000;
const START_MS = 180_000;
const ends: (() => Promise<unknown>)[] = [];
let parts: PartsShop;
beforeAll(async () => {
  parts = await PartsShop.open(["one", "two", "three", "four"]);
}, START_MS);
afterAll(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await parts?.close();
}, START_MS);

test(
  "the client for TypeScript serves parts, also when a claim's answer is lost",
  async () => {
    const made = await parts.paid("one", 3);
    const { line, url: there } = await parts.shop.line(parts.url);
    line.resetAfter("answers", 100);
    const sluice = new Sluice({ gateways: there, token: await parts.shop.token("one", "service") });
    const packed: string[] = [];
    const errors: string[] = [];
    const work = async (_: unknown, key: string): Promise<void> => {
      if (errors.push("no paper") === 1) throw new Error("no paper");
      packed.push(key);
    };
    const stopping = new AbortController();
    const running = new Service({ source: new HttpParts(sluice), work }).run(stopping.signal);
    for (const { user, id } of made) await parts.shop.stack.becomes(user, id, "dispatched");
    stopping.abort();
    await running;
    expect(packed.toSorted()).toEqual(made.map(({ user, id }) => `${user}/${id}/1/1`).sort());
    expect(line.counts.resets).toBe(1);
  },
  TIMEOUT_MS,
);

test(
  "the client for Python serves parts, also when a claim's answer is lost",
  async () => {
    const made = await parts.paid("two", 3);
    const { line, url: there } = await parts.shop.line(parts.url);
    line.resetAfter("answers", 100);
    const script = join(import.meta.dir, "..", "sdk", "python", "test", "http_service.py");
    const TOKEN = await parts.shop.token("two", "service");
    const child = Bun.spawn([pythonWithAiohttp(), script], {
      env: { ...process.env, GATEWAY: there, TOKEN },
      stdin: "pipe",
      stderr: "inherit",
    });
    ends.push(async () => child.kill());
    for (const { user, id } of made) await parts.shop.stack.becomes(user, id, "dispatched");
    child.stdin.write("stop\n");
    child.stdin.flush();
    const said = await new Response(child.stdout).text();
    const packed = [...said.matchAll(/^PACKED (\S+)$/gm)].map(([, key]) => key as string);
    expect(packed.sort()).toEqual(made.map(({ user, id }) => `${user}/${id}/1/1`).sort());
    expect(said).toContain("FAILED RuntimeError('no paper')");
    expect(said.trimEnd()).toEndWith("STOPPED");
    expect(line.counts.resets).toBe(1);
  },
  TIMEOUT_MS,
);

test(
  "a part is given up by the TypeScript client, whether its work then returns or throws",
  async () => {
    const made = await parts.paid("three", 2);
    const token = await parts.shop.token("three", "service");
    const source = new HttpParts(new Sluice({ gateways: parts.url, token }));
    const errors: string[] = [];
    let tries = 0;
    const work = async (part: Part): Promise<void> => {
      await source.giveUp(part, "broken");
      if (++tries === 1) throw new Error("thrown after it");
    };
    const onError = (error: unknown) => errors.push(String(error));
    const stopping = new AbortController();
    const running = new Service({ source, work, onError }).run(stopping.signal);
    expect(await givenUp(2)).toEqual(made.map(({ id }) => id).sort());
    stopping.abort();
    await running;
    expect(errors).toEqual(["Error: thrown after it"]);
  },
  TIMEOUT_MS,
);

test(
  "a part is given up by the Python client, whether its work then returns or raises",
  async () => {
    const made = await parts.paid("four", 2);
    const script = join(import.meta.dir, "..", "sdk", "python", "test", "http_service.py");
    const TOKEN = await parts.shop.token("four", "service");
    const child = Bun.spawn([pythonWithAiohttp(), script], {
      env: { ...process.env, GATEWAY: parts.url, TOKEN, GIVE_UP: "yes" },
      stdin: "pipe",
      stderr: "inherit",
    });
    ends.push(async () => child.kill());
    expect(await givenUp(2)).toEqual(made.map(({ id }) => id).sort());
    child.stdin.write("stop\n");
    child.stdin.flush();
    const said = await new Response(child.stdout).text();
    expect(said.trimEnd().split("\n")).toEqual(["FAILED RuntimeError('no paper')", "STOPPED"]);
  },
  TIMEOUT_MS,
);

/** Ids of the parts that wait for an operator; takes them out. */
async function givenUp(count: number): Promise<string[]> {
  const letters = await parts.shop.stack.take("fulfilment.unrouted", count);
  return letters.flatMap((letter) => (letter as Part[]).map(({ id }) => id)).sort();
}
