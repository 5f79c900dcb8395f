// Whatever a message holds: it comes to an end, and nobody else waits for it (I1, I3, I11).
import { afterEach, expect, test } from "bun:test";
import type { ChannelModel } from "amqplib";
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import { at } from "../../core/domain/at.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import type { WorkerReport } from "../../core/domain/report.ts";
import { makeOrder, Stack, userOf } from "../../test/stack.ts";

const SLOW_MS = 120_000;
let stack: Stack;
let begun = 0;
afterEach(async () => stack?.stop());

async function ready(items: Record<string, number>) {
  stack = await Stack.start();
  await stack.sale(items);
  const { worker } = await stack.worker("w1");
  await stack.until(
    "all shards owned and the sale in Redis",
    async () => worker.shards.length === 2 && (await stack.ledger.operationsOpen()).length === 0,
  );
  begun = stack.events.length;
  return worker;
}

async function send(body: string | Uint8Array, headers: Record<string, unknown> = {}) {
  const { publisher } = at(stack.links, 0);
  const sent = await publisher.publish(ORDERS_EXCHANGE, ordersKey(0), Buffer.from(body as string), {
    messageId: crypto.randomUUID(),
    headers,
  });
  expect(sent).toBe("confirmed");
}

/** What has been logged since everything was ready: an empty Redis is rebuilt once at the start. */
const since = (event: string) => stack.events.slice(begun).filter((e) => e.event === event);
/** Nothing was held up: no shard was given back, nothing rebuilt. */
function expectCalm() {
  expect([...since("shard let go"), ...since("redis rebuilt")]).toEqual([]);
}

/** How often Redis was asked to decide. */
const calls = ({ decide }: WorkerReport) => decide.counts.reduce((sum, n) => sum + n, 0);

interface DeadLetters {
  readonly reasons: string[];
}

/** Waits for this many dead letters, and returns why they are. */
async function deadLetters(expected: number): Promise<DeadLetters> {
  const { connection } = at(stack.links, 0);
  const channel = await (connection.model as ChannelModel).createChannel();
  const reasons: string[] = [];
  await stack.until(`${expected} dead letters`, async () => {
    for (let got = await channel.get(ORDERS_DEAD, { noAck: true }); got; ) {
      const reason: unknown = got.properties.headers?.["x-reason"];
      reasons.push(String(reason ?? JSON.parse(got.content.toString()).reason));
      got = await channel.get(ORDERS_DEAD, { noAck: true });
    }
    return reasons.length >= expected;
  });
  await channel.close();
  return { reasons };
}

const user = () => userOf(0);
const row = (more: Record<number, unknown> = {}): unknown[] => {
  const sound = JSON.parse(makeOrder(user(), { a: 1 }).row) as unknown[];
  for (const [at, value] of Object.entries(more)) sound[Number(at)] = value;
  return sound;
};
const raw = (from: string, to: string) => `[${JSON.stringify(row()).replace(from, to)}]`;

/** Messages without an order that could be rejected, and why they are dead. */
const GARBAGE: readonly (readonly [what: string, body: string | Uint8Array, why: RegExp])[] = [
  ["nothing", "", /not a JSON array/],
  ["no JSON", "garbage", /not a JSON array/],
  ["an object", '{"a":1}', /not a JSON array/],
  ["an empty array", "[]", /not a JSON array/],
  ["a blank first", " [1]", /not a JSON array/],
  ["a number of Redis's own", `[${JSON.stringify(row()).slice(0, -2)}0x1]]`, /not a JSON array/],
  ["NaN", raw('"s1",0,', '"s1",NaN,'), /not a JSON array/],
  ["an open decimal", raw('"s1",0,', '"s1",0.,'), /not a JSON array/],
  ["a line feed in a text", raw('"tok"', '"to\nk"'), /not a JSON array/],
  ["a NUL in the text", raw('"tok"', '"to\0k"'), /not a JSON array/],
  ["bytes that are no UTF-8", new Uint8Array([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]), /UTF-8/],
  ["nested deeply", `[${"[".repeat(100_000)}${"]".repeat(100_000)}]`, /no user|JSON/],
  ["members named twice", '[{"a":1,"a":2}]', /not a row/],
  ["rows of an unknown kind", JSON.stringify([row({ 0: "x" })]), /kind of row/],
  ["dashes for an id", JSON.stringify([row({ 2: "-".repeat(36) })]), /no order id/],
  ["a user with a space", JSON.stringify([row({ 1: "a b" })]), /no user/],
  ["a cancel at no time", JSON.stringify([["c", user(), row()[2], "", -1, "", 0]]), /no time/],
  [
    "too many rows",
    `[${Array(LIMITS.MAX_MESSAGE_ROWS + 1)
      .fill(1)
      .join()}]`,
    /too many rows/,
  ],
  ["too large", `["${"x".repeat(LIMITS.MAX_MESSAGE_BYTES)}"]`, /too large/],
];

test(
  "whatever is no order goes to the dead letters with the reason, and the orders around it are decided",
  async () => {
    await ready({ a: 1_000 });
    const orders: string[] = [];
    for (const [, body] of GARBAGE) {
      const { order, row } = makeOrder(user(), { a: 1 });
      orders.push(order.id);
      await send(body, { "x-accepted-at": 9e15 });
      await send(`[${row}]`);
    }
    for (const id of orders) expect((await stack.decided(user(), id)).state).toBe("reserved");
    const { reasons } = await deadLetters(GARBAGE.length);
    GARBAGE.forEach(([what, , why], i) => {
      expect([what, reasons[i]]).toEqual([what, expect.stringMatching(why)]);
    });
    expectCalm();
  },
  SLOW_MS,
);

test.each([
  ["a time before all time", { 4: -1 }],
  ["a time that Lua's JSON would not write back", { 4: 1e15 }],
  ["a number too large", { 6: 1e10 }],
  ["no items", { 8: [] }],
  ["a name too long for a sale", { 5: "s".repeat(65) }],
  ["a giant ceiling", { 11: 1e300 }],
  ["half a surrogate pair", { 9: "\ud800" }],
  ["a field behind the trace", { 12: null, 13: 1 }],
  ["a payment token too long", { 9: "x".repeat(LIMITS.MAX_TEXT_BYTES + 1) }],
])(
  "an order with %s is rejected once, however often it is sent, and nobody waits for it",
  async (_, more) => {
    await ready({ a: 10 });
    // An id from long ago: Redis remembers no such order.
    for (const id of [Bun.randomUUIDv7(), Bun.randomUUIDv7("hex", Date.now() - 86_400_000)]) {
      const bad = JSON.stringify(row({ 2: id, ...more }));
      const good = makeOrder(user(), { a: 1 });
      await send(`[${bad},${good.row}]`);
      expect((await stack.decided(user(), id)).state).toBe("rejected");
      expect((await stack.decided(user(), good.order.id)).state).toBe("reserved");
      await send(`[${bad}]`);
      const next = makeOrder(user(), { a: 1 });
      await send(`[${next.row}]`);
      expect((await stack.decided(user(), next.order.id)).state).toBe("reserved");
    }
    expect((await deadLetters(2)).reasons).toEqual([
      "the order could not be decided",
      "the order could not be decided",
    ]);
    expectCalm();
  },
  SLOW_MS,
);

test(
  "one bad row among many costs some calls of Redis more, not one for each order",
  async () => {
    const worker = await ready({ a: 1_000 });
    const rows = Array.from({ length: 400 }, () => makeOrder(user(), { a: 1 }));
    const texts = rows.map((r) => r.row);
    texts[200] = "17";
    const before = calls(worker.report());
    await send(`[${texts.join()}]`);
    for (const { order } of [rows[0], rows[399]] as [(typeof rows)[0], (typeof rows)[0]])
      expect((await stack.decided(user(), order.id)).state).toBe("reserved");
    expect(calls(worker.report()) - before).toBeLessThanOrEqual(4);
    expect((await deadLetters(1)).reasons).toEqual(["1 of 400 rows: not a row"]);
    expectCalm();
  },
  SLOW_MS,
);

test(
  "late orders, many in one message, are settled together: each once, known ones as they are",
  async () => {
    const worker = await ready({ a: 10 });
    const late = Array.from({ length: 200 }, (_, i) =>
      makeOrder(user(), { a: 1 }, { id: Bun.randomUUIDv7("hex", Date.now() - 86_400_000 + i) }),
    );
    const before = calls(worker.report());
    const body = `[${late.map((l) => l.row).join()}]`;
    await send(body);
    await stack.decided(user(), late[199]?.order.id ?? "");
    await send(body);
    const next = makeOrder(user(), { a: 1 });
    await send(`[${next.row}]`);
    expect((await stack.decided(user(), next.order.id)).state).toBe("reserved");
    expect((await stack.ledger.order(user(), late[0]?.order.id ?? ""))?.state).toBe("stale");
    expect(calls(worker.report()) - before).toBeLessThanOrEqual(6);
    expectCalm();
  },
  SLOW_MS,
);

test(
  "Redis that stands elsewhere than it was left is found out by its answer, even to an order it knows",
  async () => {
    await ready({ a: 10 });
    const first = makeOrder(user(), { a: 1 });
    await send(`[${first.row}]`);
    await stack.decided(user(), first.order.id);
    const redis = await stack.client();
    await redis.client.hset("{0}:meta", "tip", "of-another-history");
    await redis.close();
    await send(`[${first.row}]`);
    await stack.until("the rebuild", () => since("redis rebuilt").length > 0);
    expect(String(since("shard let go")[0]?.why)).toMatch(/^lost/);
    const next = makeOrder(user(), { a: 1 });
    await send(`[${next.row}]`);
    expect((await stack.decided(user(), next.order.id)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "an entry of Redis that nobody can read is kept as a dead letter, and the shard goes on behind it",
  async () => {
    const running = await ready({ a: 10 });
    const redis = await stack.client();
    await running.stop();
    const [tip, n] = (await redis.client.hmget("{0}:meta", "tip", "n")) as [string, string];
    const place = ["id", "garbled", "prev", tip, "k", "decide", "t", String(Date.now())];
    const message = ["g", "g", "b", "1", "y", "[0x1]", "o", "reserved"];
    const next = Number(n) + 1;
    const rest = [...place, "r", "no JSON", "x", "[]", ...message];
    await redis.client.xadd("{0}:outbox", `${next}-0`, ...rest);
    await redis.client.hset("{0}:meta", "tip", "garbled", "n", next);
    await redis.close();
    begun = stack.events.length;
    await stack.worker("w2");
    const { order, row } = makeOrder(user(), { a: 1 });
    await send(`[${row}]`);
    expect((await stack.decided(user(), order.id)).state).toBe("reserved");
    expect((await deadLetters(1)).reasons[0]).toMatch(/cannot be read/);
    expect(since("entry unreadable")).toHaveLength(1);
    expectCalm();
  },
  SLOW_MS,
);
