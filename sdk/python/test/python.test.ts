// The Python client against the running product: one effect per order, whatever happens on the way.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { OPEN_STATES, TERMINAL_STATES } from "../../../core/domain/outcome.ts";
import { PROBLEM_CODES } from "../../../gateway/http/problem.ts";
import { Shop } from "../../testing.ts";
import { pythonWithAiohttp } from "./test-python.ts";

const SLOW_MS = 120_000;
const USERS = ["ann", "bob", "cai", "dan", "eve", "fay", "gus", "hal", "ida", "jim", "kai"];
let shop: Shop;
let found: Record<string, Record<string, unknown>>;

/** All scenarios run at once, each as a user of its own. */
beforeAll(async () => {
  shop = await Shop.open({ lamp: 1_000, rare: 1 });
  const gateway = await shop.gateway();
  const [cut, cut2, silent] = await Promise.all([1, 2, 3].map(() => shop.line(gateway)));
  cut?.line.resetAfter("answers", 10);
  // Behind the handshake and `ready`: an answer to an order is cut.
  cut2?.line.resetAfter("answers", 400);
  silent?.line.stall("answers");
  const tokens = Object.fromEntries(
    await Promise.all(USERS.map(async (user) => [user, await shop.token(user)])),
  );
  const SHOP = JSON.stringify({
    ...{ gateway, tokens, cut: cut?.url, cut2: cut2?.url, silent: silent?.url },
  });
  const child = Bun.spawn([pythonWithAiohttp(), join(import.meta.dir, "scenarios.py")], {
    env: { ...process.env, SHOP },
    stderr: "inherit",
  });
  found = JSON.parse(await new Response(child.stdout).text());
  expect([cut?.line.counts.resets, cut2?.line.counts.resets]).toEqual([1, 1]);
}, SLOW_MS);
afterAll(() => shop?.close(), SLOW_MS);

const orders = async (user: string) => (await shop.orders(user)).length;

test("five lines of the README place an order exactly once", async () => {
  const [order] = await shop.orders("ann");
  expect(found.readme).toEqual({ id: order?.id, event: "reserved", lines: 5 });
  expect(await orders("ann")).toBe(1);
});

test("an answer lost on the way: the order is sent again, and its events come once", async () => {
  const { outcome, seen, status } = found.lost_answer ?? {};
  expect([outcome, status]).toEqual([expect.stringMatching(/^(reserved|paid)$/), "paid"]);
  const numbers = (seen as [number, string][]).map(([n]) => n);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(await orders("bob")).toBe(1);
});

test("a silent gateway is followed by the next one", async () => {
  expect(found.silent_gateway).toEqual({ outcome: expect.stringMatching(/^(reserved|paid)$/) });
  expect(await orders("cai")).toBe(1);
});

test("no answer in time: the effect is unknown, and the draft can be placed again", async () => {
  const outcome = expect.stringMatching(/^(reserved|paid)$/);
  expect(found.deadline).toEqual({ effect: "unknown", same: true, late: "unknown", outcome });
  expect(await orders("dan")).toBe(1);
});

test("a clock an hour ahead or behind is corrected by the gateway's", () => {
  const { outcomes } = found.clocks as { outcomes: unknown[] };
  const decided = expect.stringMatching(/^(reserved|paid)$/);
  expect(outcomes).toEqual([decided, true, decided, true]);
});

test("a wrong order is refused at once, with the field at fault", () => {
  const field = "lines[0].qty";
  expect(found.refusals).toEqual({ code: "out_of_range", field, effect: "none" });
});

test("cancels, numbers and tokens work as the README says", () => {
  expect(found.cancel).toEqual({ words: ["cancelled", "cancelled"], end: "cancelled" });
  const outcome = expect.stringMatching(/^(reserved|paid)$/);
  expect(found.numbers).toEqual({ seq: [3, 5], outcome });
  expect(found.tokens).toEqual({ status: "accepted", left: 0 });
});

test("a socket that breaks after the order left: it is sent again, events continue", async () => {
  const { outcome, seen, ids, stock } = found.socket ?? {};
  expect(outcome).toMatch(/^(reserved|paid)$/);
  expect((seen as string[]).filter((event) => event === "reserved")).toHaveLength(1);
  expect([ids, stock]).toEqual([20, true]);
  await shop.stack.until("all 21 orders decided", async () => (await orders("jim")) === 21);
});

test("a draft that an earlier run may have sent is looked up, not believed sold out", () => {
  const outcome = expect.stringMatching(/^(reserved|paid)$/);
  const read = { items: ["lamp", "rare"], digits: 0, listed: true };
  expect(found.again).toEqual({ outcome, same: true, effect: "unknown", ...read });
});

test("the client knows every problem and every state of the product", () => {
  const { problems, open, finished } = found.words ?? {};
  expect([...(problems as string[])].sort()).toEqual([...PROBLEM_CODES].sort());
  expect([open, finished] as unknown).toEqual([[...OPEN_STATES], [...TERMINAL_STATES]]);
});
