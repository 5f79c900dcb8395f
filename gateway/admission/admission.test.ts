import { afterEach, expect, test } from "bun:test";
import { at } from "../../core/domain/at.ts";
import { skipRow } from "../../core/domain/row.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { Batch } from "../intake/batch.ts";
import {
  bearer,
  closeGateways,
  idIn,
  order,
  post,
  start,
  type TestGateway,
  TestSocket,
} from "../testing.ts";
import { Admission } from "./admission.ts";
import { body, orders, runtimeAt } from "./test-admission.ts";

afterEach(closeGateways);

const SKIP = skipRow({ user: "u", saleId: "s", seq: 1 }, 0);
const nobody = { follows: false, settled() {}, decided() {}, forgotten() {} };

test("at rest a single timer runs; an order starts the sampling of the event loop", async () => {
  const runtime = new VirtualRuntime();
  const admission = new Admission({
    ...{ shards: 1, targetMs: 1_000, stallOrders: 10, lateMs: 60, brokerBlocked: () => false },
    runtime,
  });
  admission.start();
  await runtime.advance(5_000);
  expect(runtime.timers).toBe(1);
  const batch = new Batch(0, "1", runtime.monotonicMs);
  batch.add(SKIP, 0, nobody, undefined);
  admission.taken(0);
  admission.sent(batch);
  expect(runtime.timers).toBe(2);
  await runtime.advance(60_000);
  expect(runtime.timers).toBe(2); // its outcome is missing
  admission.settled(batch, true);
  await runtime.advance(5_000);
  expect(runtime.timers).toBe(1);
  admission.stop();
  expect(runtime.timers).toBe(0);
});

/** A gateway whose orders are never decided: all that are sent stay pending. */
async function flooded(limit: number): Promise<{ t: TestGateway; ann: Record<string, string> }> {
  const t = await start({ admission: { targetWaitMs: 2_000, stallOrders: limit } });
  const ann = await bearer("ann");
  // At once: the gateway sheds as soon as the first has waited for a quarter of the target.
  const placed = Array.from({ length: limit }, () => post(orders(t), order(), ann));
  expect(new Set((await Promise.all(placed)).map(({ status }) => status))).toEqual(new Set([202]));
  // Nothing is decided, which the gateway notices after a second.
  while (!t.gateway.admission.report().reasons.includes("stalled")) await Bun.sleep(20);
  return { t, ann };
}

test("a full shard: 503 with estimate and jittered Retry-After, until outcomes come", async () => {
  const { t, ann } = await flooded(20);
  const before = t.broker.rows.length;
  const refused = await Promise.all(
    Array.from({ length: 30 }, () => post(orders(t), "not even JSON", ann)),
  );
  expect(new Set(refused.map((r) => r.status))).toEqual(new Set([503]));
  const first = await body(at(refused, 0));
  expect(first).toMatchObject({
    code: "shed",
    detail: expect.stringContaining("nothing is decided at present"),
    estimate: { seconds: Number(refused[0]?.headers.get("retry-after")), stalled: true },
  });
  expect(t.broker.rows).toHaveLength(before);
  const others = await Promise.all(
    ["bob", "cid", "dan", "eve", "fay"].map(
      async (u) => (await post(orders(t), order(), await bearer(u))).status,
    ),
  );
  expect(others.filter((s) => s === 202).length).toBeGreaterThan(0);
  for (const { batch, rows } of t.broker.published)
    t.broker.tell({ batches: [[batch, rows.map(() => "sold_out").join(",")]], released: [] });
  for (;;) {
    const answer = await post(orders(t), order(), ann);
    const { estimate } = (await body(answer)) as unknown as { estimate: object };
    if (answer.status === 202 && !("stalled" in estimate)) break;
    await Bun.sleep(20);
  }
});

test("a waiting order's answer has its place and expected time", async () => {
  const { t } = await flooded(20);
  for (const place of [0, 7, 19]) {
    const waiting = idIn(t.broker.rows[place]) as string;
    const shown = await body(
      await fetch(`${orders(t)}/${waiting}`, { headers: await bearer("ann") }),
    );
    expect(shown).toMatchObject({
      status: "accepted",
      estimate: { position: place, seconds: expect.any(Number) },
    });
  }
});

test("Redis's memory closes admission at 90% and opens it again below 85%", async () => {
  const t = await start();
  const { admission } = t.gateway;
  const ann = await bearer("ann");
  const status = async () => (await post(orders(t), order(), ann)).status;
  const seen: number[] = [];
  for (const used of [0.89, 0.9, 0.86, 0.849]) {
    admission.redisMemory(used);
    seen.push(await status());
  }
  expect(seen).toEqual([202, 503, 503, 202]);
  admission.redisMemory(0.95);
  expect(admission.report()).toMatchObject({ state: "closed", reasons: ["redis_memory"] });
});

test("the gateway answers unnumbered orders for sold-out items 409 until a restock", async () => {
  let lamps = 0;
  const units = (sku: string, available: number) => ({
    sku,
    available,
    releasing: 0,
    held: 0,
    sold: 0,
    initial: 10,
    restocked: 0,
  });
  const t = await start({
    admission: { soldOutAtGate: true },
    stockOf: async () => [units("lamp", lamps), units("chair", 5)],
  });
  const ann = await bearer("ann");
  // The first order for a sale triggers the query whether its items are sold out.
  expect((await post(orders(t), order(), ann)).status).toBe(202);
  const refused = await post(
    orders(t),
    order({
      lines: [
        { sku: "chair", qty: 1 },
        { sku: "lamp", qty: 1 },
      ],
    }),
    ann,
  );
  expect([refused.status, (await body(refused)).code]).toEqual([409, "sold_out"]);
  expect((await post(orders(t), order({ seq: 1 }), ann)).status).toBe(202);
  expect((await post(orders(t), order({ lines: [{ sku: "chair", qty: 1 }] }), ann)).status).toBe(
    202,
  );
  expect(t.broker.rows).toHaveLength(3);
  expect((await post(orders(t), order(), ann)).status).toBe(409);
  // A unit has come back: Redis's last answer no longer counts.
  const placed = t.broker.published[0];
  await fetch(`${t.gateway.url}/v1/sales/spring/stock`, { headers: ann });
  lamps = 1;
  t.broker.tell({ batches: [], released: [["ann", String(idIn(placed?.rows[0])), "cancelled"]] });
  for (let i = 0; i < 3; i++) expect((await post(orders(t), order(), ann)).status).toBe(202);
  lamps = 0;
  await post(orders(t), order({ seq: 2 }), ann);
  while ((await post(orders(t), order(), ann)).status !== 409) await Bun.sleep(5);
  lamps = 1;
  const operator = await bearer("ops", { scope: "operator" });
  expect(
    (
      await post(
        `${t.gateway.url}/v1/admin/sales/spring/restock`,
        { sku: "lamp", units: 1 },
        operator,
      )
    ).status,
  ).toBe(200);
  // At once, not at the next query to Redis.
  expect((await post(orders(t), order(), ann)).status).toBe(202);
});

test("a cancel is never shed for its shard's lag: it shortens the lag", async () => {
  const { t, ann } = await flooded(20);
  const id = idIn(t.broker.rows[0]);
  const cancelled = fetch(`${orders(t)}/${id}`, { method: "DELETE", headers: ann });
  while (t.broker.rows.at(-1)?.kind !== "cancel") await Bun.sleep(5);
  const { batch } = t.broker.published.at(-1) as { batch: string };
  t.broker.tell({ batches: [[batch, "+cancelled"]], released: [] });
  expect((await cancelled).status).toBe(200);
});

test("a late gateway accepts less and reports it; WebSocket nacks keep ref and id", async () => {
  const t = await start({ admission: { lateMs: 10 } });
  const { admission } = t.gateway;
  while (!admission.report().reasons.includes("late")) {
    for (const end = performance.now() + 60; performance.now() < end; );
    await Bun.sleep(0);
  }
  expect(admission.report()).toMatchObject({ state: "pressured", reasons: ["late"] });
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const placed = Array.from({ length: 300 }, () => order());
  placed.forEach((one, i) => {
    socket.send({ type: "order", ref: `r${i}`, order: one });
  });
  const answered = new Map<string, unknown>();
  while (answered.size < placed.length) {
    await Bun.sleep(5);
    for (const type of socket.waiting) {
      const frame = await socket.next(type);
      for (const [ref, id, reason] of (frame[type] ?? []) as [
        string,
        string,
        { code: string } | undefined,
      ][])
        answered.set(ref, [id, reason?.code]);
    }
  }
  const refused = [...answered.values()].filter((a) => (a as string[])[1] === "shed");
  expect(refused.length).toBeGreaterThan(100);
  expect(refused.length).toBeLessThan(300);
  placed.forEach((one, i) => {
    expect((answered.get(`r${i}`) as string[])[0]).toBe(String(one.id));
  });
  expect(t.broker.rows).toHaveLength(300 - refused.length);
  expect(t.gateway.report().refused.shed).toBe(refused.length);
  // Nothing is shed for a second, so all is accepted again.
  while (admission.report().reasons.includes("late")) await Bun.sleep(20);
  expect((await post(orders(t), order(), await bearer("ann"))).status).toBe(202);
});

test.each<[string, (order: object) => string]>([
  [
    "members in another order",
    (o: object) => JSON.stringify({ ref: "r", type: "order", order: o }),
  ],
  [
    "a ref that needs escaping",
    (o: object) => JSON.stringify({ type: "order", ref: 'r"\n', order: o }),
  ],
  ["many orders", (o: object) => JSON.stringify({ type: "orders", ref: "r", orders: [o] })],
  [
    "an invalid id",
    (o: object) => JSON.stringify({ type: "order", ref: "r", order: { ...o, id: '"' } }),
  ],
])("shed however it is written: %s", async (_, write) => {
  const t = await start();
  t.gateway.admission.redisMemory(1);
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send(write(order()));
  const { nacks } = await socket.next("nacks");
  expect((nacks as [string, string, { code: string }][])[0]?.[2].code).toBe("shed");
  expect(t.broker.rows).toHaveLength(0);
});

test("while orders are shed, garbage stays garbage, and credit and tokens count", async () => {
  const t = await start({ limits: { credit: 2 } });
  t.gateway.admission.redisMemory(1);
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send('{"type":"order","ref":');
  expect(await socket.next("error")).toMatchObject({ problem: { code: "malformed" } });
  for (let i = 0; i < 3; i++)
    socket.send(JSON.stringify({ type: "order", ref: `${i}`, order: order() }));
  const codes: string[] = [];
  while (codes.length < 3)
    for (const [, , { code }] of (await socket.next("nacks")).nacks as [
      string,
      string,
      { code: string },
    ][])
      codes.push(code);
  expect(codes).toEqual(["shed", "shed", "credit"]);
});

test("a shed order is not parsed: the text after its id does not matter", async () => {
  const t = await start();
  t.gateway.admission.redisMemory(1);
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const placed = order();
  socket.send(
    JSON.stringify({ type: "order", ref: "r", order: { id: placed.id } }).slice(0, -2) +
      ", not JSON",
  );
  expect((await socket.next("nacks")).nacks).toMatchObject([["r", placed.id, { code: "shed" }]]);
});

test("how little a late gateway accepts depends on how much was decided", () => {
  let nowMs = 1_000;
  const admission = new Admission({
    ...{ shards: 1, targetMs: 1_000, stallOrders: 10, lateMs: 60, brokerBlocked: () => false },
    runtime: runtimeAt(() => nowMs),
  });
  const second = (lateMs: number, decided: number) => {
    let taken = 0;
    for (let tick = 0; tick < 10; tick++) {
      for (let i = 0; i < 100; i++) {
        nowMs++;
        for (let j = 0; j < 10 && !admission.shuts(0); j++) {
          admission.taken(0);
          taken++;
        }
      }
      const batch = new Batch(0, `${nowMs}`, () => nowMs);
      for (let i = 0; i < decided / 10; i++) batch.add(SKIP, 0, nobody, undefined);
      admission.sent(batch);
      admission.settled(batch, true);
      admission.tick(lateMs);
    }
    return taken;
  };
  for (let i = 0; i < 5; i++) second(0, 10_000);
  for (let i = 0; i < 5; i++) second(300, 10_000);
  const taken = second(300, 10_000);
  expect(taken).toBeGreaterThan(4_500);
  expect(taken).toBeLessThan(5_500);
});

test("orders shed for a full shard count as demand on a late gateway too", () => {
  let nowMs = 1_000;
  const reasonsWhen = (asked: number) => {
    const admission = new Admission({
      ...{ shards: 2, targetMs: 1_000, stallOrders: 1_000, lateMs: 60, brokerBlocked: () => false },
      runtime: runtimeAt(() => nowMs),
    });
    const batch = new Batch(0, "b", () => nowMs);
    for (let i = 0; i < 1_000; i++) {
      admission.taken(0);
      batch.add(SKIP, 0, nobody, undefined);
    }
    admission.sent(batch);
    for (let tick = 0; tick < 50; tick++) {
      nowMs += 100;
      for (let i = 0; i < asked; i++) admission.shuts(0);
      admission.tick(tick < 40 ? 0 : 61);
    }
    return admission.report().reasons;
  };
  expect(reasonsWhen(10)).not.toContain("late");
  expect(reasonsWhen(200)).toContain("late");
});
