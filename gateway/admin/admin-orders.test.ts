// An operator finds any user's order, and reads what happened in the last day.
import { afterEach, expect, test } from "bun:test";
import { shardOf } from "../../core/domain/shard.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { entryOf, orderRow } from "../../ledger/test-entries.ts";
import { bearer, closeGateways, start, type TestGateway } from "../testing.ts";

afterEach(closeGateways);

async function get(t: TestGateway, path: string, scope = "viewer") {
  const headers = await bearer("ops", { scope });
  const response = await fetch(`${t.gateway.url}${path}`, { headers });
  // biome-ignore lint/suspicious/noExplicitAny: answers of any call
  return { status: response.status, body: (await response.json()) as any };
}

/** Records one order of each user, all under the same id. */
async function record(t: TestGateway, id: string, ...users: string[]): Promise<void> {
  const writer = await openLedgerWriter(realRuntime, `sqlite:${t.ledgerPath}`);
  for (const [i, user] of users.entries()) {
    const shard = shardOf(user, t.ledger.shards);
    const position = await writer.takeShard(shard, "w");
    const more = { saleId: "spring", lines: [{ sku: "lamp", qty: 1 }], payment: "tok_secret" };
    const row = orderRow(user, id, 1, more);
    const place = { id: `entry-${i}`, prev: position.lastId };
    const entry = entryOf(shard, position.lastN + 1, [row], "sold_out", place);
    expect(await writer.record([{ entry, epoch: position.epoch }])).toEqual(["recorded"]);
  }
  await writer.close();
}

test("an order is found by its id alone, by user and by state, and tells its story", async () => {
  const t = await start();
  const id = Bun.randomUUIDv7();
  await record(t, id, "ann");
  for (const query of [`id=${id}`, "user=ann", "status=sold_out&saleId=spring", "limit=1"]) {
    const { status, body } = await get(t, `/v1/admin/orders?${query}`);
    expect([query, status]).toEqual([query, 200]);
    expect(body.orders).toMatchObject([{ id, user: "ann", status: "sold_out" }]);
  }
  expect((await get(t, "/v1/admin/orders?status=paid")).body.orders).toEqual([]);
  expect((await get(t, "/v1/admin/orders?user=bob")).body.orders).toEqual([]);
  const { body } = await get(t, `/v1/admin/orders/${id}`);
  expect(body).toMatchObject({ id, user: "ann", charges: [], parts: [], deliveries: [] });
  expect(body.entry).toMatchObject({ n: 1, id: "entry-0" });
  expect(body.events).toEqual([{ at: expect.any(String), event: "sold_out" }]);
  expect(JSON.stringify(body)).not.toContain("tok_secret");
});

test("an id that several users have asks for the user; bad input names its field", async () => {
  const t = await start();
  const id = Bun.randomUUIDv7();
  await record(t, id, "ann", "bob");
  expect((await get(t, `/v1/admin/orders?id=${id}`)).body.orders).toHaveLength(2);
  expect(await get(t, `/v1/admin/orders/${id}`)).toMatchObject({
    status: 422,
    body: { code: "missing_field", field: "user" },
  });
  expect((await get(t, `/v1/admin/orders/${id}?user=bob`)).body).toMatchObject({ user: "bob" });
  const unknown = await get(t, `/v1/admin/orders/${Bun.randomUUIDv7()}`);
  expect(unknown).toMatchObject({ status: 404, body: { code: "not_known_yet" } });
  for (const [query, field] of [
    ["id=7", "id"],
    ["status=accepted", "status"],
    ["before=x", "before"],
    ["limit=101", "limit"],
    ["name=x", "name"],
  ] as const) {
    const { status, body } = await get(t, `/v1/admin/orders?${query}`);
    expect([query, status, body.field]).toEqual([query, 422, field]);
  }
});

test("the timeline and the history come a page at a time, with checked cursors", async () => {
  const t = await start();
  const writer = await openLedgerWriter(realRuntime, `sqlite:${t.ledgerPath}`);
  const nowMs = Date.now();
  // The second one was entered after the third had happened.
  const events = [3, 0, 2].map((ago, i) => ({
    ...{ atMs: nowMs - ago, kind: "role_started" as const, subject: `w${i + 1}`, what: "started" },
  }));
  const keep = { holder: "g", leaseMs: 60_000, minutes: [], state: "{}" };
  await writer.keepTimeline({ ...keep, events: [] });
  await writer.keepTimeline({ ...keep, events });
  await writer.close();
  const first = await get(t, "/v1/admin/timeline?limit=2");
  expect(first.body).toMatchObject({ entries: [{ subject: "w2" }, { subject: "w3" }], next: 2 });
  const rest = await get(t, `/v1/admin/timeline?limit=2&before=${first.body.next}`);
  expect(rest.body).toMatchObject({ entries: [{ subject: "w1" }] });
  expect(rest.body.next).toBeUndefined();
  const later = await get(t, "/v1/admin/timeline?after=2");
  expect(later.body.entries).toMatchObject([{ seq: 3, subject: "w3" }]);
  expect(await get(t, "/v1/admin/timeline?after=1&before=2")).toMatchObject({
    status: 422,
    body: { field: "after" },
  });
  expect(await get(t, "/v1/admin/history?sinceMs=0")).toMatchObject({
    status: 200,
    body: { minutes: [] },
  });
  expect((await get(t, "/v1/admin/history?sinceMs=-1")).status).toBe(422);
});

test("the verdict alone is that of the overview", async () => {
  const { overviewOf } = await import("../../core/domain/test-reports.ts");
  const t = await start({ overview: async () => overviewOf({ atMs: 7 }) });
  expect((await get(t, "/v1/admin/verdict")).body).toEqual({
    ...{ atMs: 7, verdict: { level: "ok", findings: [] } },
  });
});
