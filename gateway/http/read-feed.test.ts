// The feed over HTTP: pages, waiting, and what is refused.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { orderRow } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { entryOf } from "../../ledger/test-entries.ts";
import { until } from "../../test/until.ts";
import { bearer, startTestGateway, type TestGateway } from "../testing.ts";

const SHARD = shardOf("ann", 4);
let t: TestGateway;
let writer: LedgerWriter;
/** Records one order, and returns its id. */
let decide: () => Promise<string>;

beforeEach(async () => {
  t = await startTestGateway();
  writer = await openLedgerWriter(realRuntime, `sqlite:${t.ledgerPath}`);
  const { epoch } = await writer.takeShard(SHARD, "w");
  let n = 0;
  decide = async () => {
    const id = Bun.randomUUIDv7();
    const order = { user: "ann", id, saleId: "spring", seq: 0, currency: "EUR", payment: "" };
    const lines = [{ sku: "chair", qty: 1 }];
    const row = orderRow({ ...order, lines, metadata: "", maxTotal: 0 }, 1);
    const entry = entryOf(SHARD, ++n, [row], "reserved");
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
    return id;
  };
});
afterEach(async () => {
  await writer.close();
  await t.close();
});

interface Page {
  readonly events: readonly { id: string; type: string; subject: string; data: object }[];
  readonly after: string;
  readonly more: boolean;
}

async function get(query: string, scope = "service"): Promise<Response> {
  const headers = await bearer("ops", { scope });
  return fetch(`${t.gateway.url}/v1/feed?${query}`, { headers });
}

async function page(query: string): Promise<Page> {
  const response = await get(query);
  expect(response.status).toBe(200);
  return (await response.json()) as Page;
}

test("a page holds events, and the cursor of the next one", async () => {
  const ids = [await decide(), await decide(), await decide()];
  const first = await page("limit=2");
  expect(first.events.map((e) => e.subject)).toEqual([`ann/${ids[0]}`, `ann/${ids[1]}`]);
  expect(first.more).toBe(true);
  expect(first.events[0]).toMatchObject({
    specversion: "1.0",
    source: "/sluice/orders",
    type: "order.decided",
    time: "1970-01-01T00:00:00.005Z",
    data: { orderId: ids[0], user: "ann", saleId: "spring", status: "reserved", amount: 12_900 },
  });
  const second = await page(`after=${first.after}`);
  expect(second.events.map((e) => e.subject)).toEqual([`ann/${ids[2]}`]);
  expect(second.more).toBe(false);
  expect(await page(`after=${second.after}`)).toEqual({ ...second, events: [] });
  expect((await page("after=end")).after).toBe(second.after);
});

test("a caller who waits is answered when an order is decided", async () => {
  const { after } = await page("after=end");
  let answered = false;
  const waiting = Promise.all(
    Array.from({ length: 5 }, () => page(`after=${after}&wait=30`)),
  ).finally(() => {
    answered = true;
  });
  await realRuntime.sleep(300);
  expect(answered).toBe(false);
  const id = await decide();
  for (const { events } of await waiting)
    expect(events.map((e) => e.subject)).toEqual([`ann/${id}`]);
}, 40_000);

test("a wait ends at its deadline, and when the gateway stops", async () => {
  const { after } = await page("after=end");
  const startedMs = performance.now();
  expect((await page(`after=${after}&wait=1`)).events).toEqual([]);
  expect(performance.now() - startedMs).toBeGreaterThan(900);
  const waiting = page(`after=${after}&wait=30`);
  await realRuntime.sleep(50); // it may also end before it waits
  await t.gateway.close();
  expect((await waiting).events).toEqual([]);
}, 20_000);

test("no more than a hundred callers wait; one that leaves makes room", async () => {
  const { after } = await page("after=end");
  const leaving = new AbortController();
  const headers = await bearer("ops", { scope: "service" });
  const url = `${t.gateway.url}/v1/feed?after=${after}&wait=30`;
  // One that is refused, since the question below had the last place, asks again.
  const wait = async (): Promise<void> => {
    const answer = fetch(url, { headers, signal: leaving.signal });
    const refused = await answer.then(
      ({ status }) => status === 503,
      () => false,
    );
    if (refused) return wait();
  };
  const all = Array.from({ length: 100 }, wait);
  const busy = async () => (await get(`after=${after}&wait=1`)).status === 503;
  await until("all wait", busy);
  leaving.abort();
  await Promise.all(all);
  await until("they have left", async () => !(await busy()));
}, 40_000);

test("an invalid value is refused, and the answer names it", async () => {
  const cases: [query: string, status: number, field: string][] = [
    ["after=nowhere", 422, "after"],
    ["limit=0", 422, "limit"],
    ["limit=1001", 422, "limit"],
    ["wait=31", 422, "wait"],
    ["wait=soon", 422, "wait"],
    ["from=1", 422, "from"],
  ];
  await decide();
  const { after } = await page("after=end");
  const bytes = Buffer.from(after, "base64url");
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  cases.push([`after=${bytes.toString("base64url")}`, 409, "after"]);
  for (const [query, status, field] of cases) {
    const response = await get(query);
    const problem = (await response.json()) as { field: string };
    expect([query, response.status, problem.field]).toEqual([query, status, field]);
  }
  expect((await get("", "viewer")).status).toBe(403);
});
