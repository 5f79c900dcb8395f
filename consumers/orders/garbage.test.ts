// Whatever a message holds, it ends, and nothing else waits for it (I1, I3, I11).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { ChannelModel } from "amqplib";
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import { at } from "../../core/domain/at.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import { messageText } from "../../core/domain/message.ts";
import type { WorkerReport } from "../../core/domain/report.ts";
import { cancelRow, type Row } from "../../core/domain/row.ts";
import { makeOrder, Stack, userOf } from "../../test/stack.ts";

const SLOW_MS = 120_000;
let stack: Stack;
let begun = 0;
/** The tests of a block use one system. */
let shared = false;
afterEach(async () => {
  if (!shared) await stack?.stop();
});

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

/** The events since everything was ready: the first load of Redis is a rebuild too. */
const since = (event: string) => stack.events.slice(begun).filter((e) => e.event === event);
/** Nothing was disturbed: no shard was released, and Redis was not rebuilt. */
function expectCalm() {
  expect([...since("shard released"), ...since("redis rebuilt")]).toEqual([]);
}

/** How many calls to decide Redis received. */
const calls = ({ decide }: WorkerReport) => decide.counts.reduce((sum, n) => sum + n, 0);

/** In the order of their arrival. */
interface DeadLetters {
  readonly reasons: string[];
  readonly copies: Buffer[];
}

/** Waits for this many dead letters, and returns their reasons and texts. */
async function deadLetters(expected: number): Promise<DeadLetters> {
  const { connection } = at(stack.links, 0);
  const channel = await (connection.model as ChannelModel).createChannel();
  const reasons: string[] = [];
  const copies: Buffer[] = [];
  await stack.until(`${expected} dead letters`, async () => {
    for (let got = await channel.get(ORDERS_DEAD, { noAck: true }); got; ) {
      const reason: unknown = got.properties.headers?.["x-reason"];
      reasons.push(String(reason ?? JSON.parse(got.content.toString()).reason));
      copies.push(got.content);
      got = await channel.get(ORDERS_DEAD, { noAck: true });
    }
    return reasons.length >= expected;
  });
  await channel.close();
  return { reasons, copies };
}

const user = () => userOf(0);
const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const UTF8_BROKEN = new Uint8Array([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]);
const TOO_MANY = LIMITS.MAX_MESSAGE_ROWS + 1;

/** A message of a sound order, with some columns replaced; undefined removes a column. */
const columns = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({ ...JSON.parse(messageText([makeOrder(user(), { a: 1 }).row])), ...more });
/** A sound order in format 0, with some places replaced. */
const row0 = (more: Record<number, unknown> = {}): unknown[] => {
  const id = Bun.randomUUIDv7();
  const sound = ["o", user(), id, "f", Date.now(), "s1", 0, "EUR", ["a", 1], "tok", "", 0];
  for (const [at, value] of Object.entries(more)) sound[Number(at)] = value as never;
  return sound;
};
const raw = (from: string, to: string) => columns().replace(from, to);
const raw0 = (from: string, to: string) => JSON.stringify([row0()]).replace(from, to);
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

type Garbage = readonly (readonly [what: string, body: string | Uint8Array, why: RegExp])[];

/** Messages without an order that could be rejected, and the reasons of their dead letters. */
const GARBAGE: Garbage = [
  ["nothing", "", /not JSON/],
  ["not JSON", "garbage", /not JSON/],
  ["null", "null", /neither columns nor rows/],
  ["a number", "17", /neither columns nor rows/],
  ["a string", '"text"', /neither columns nor rows/],
  ["an unrelated object", '{"a":1}', /not a known format/],
  ["a leading blank", ` ${columns()}`, /neither columns nor rows/],
  ["no rows", '{"v":1,"order":[]}', /no rows/],
  ["no columns", '{"v":1}', /no rows/],
  ["rows that are not a list", columns({ order: { length: 1, 0: `u ${ID}` } }), /no rows/],
  ["a later version", columns({ v: 2 }), /format 2 is newer/],
  ["an absurd version", columns({ v: 1e300 }), /format 1e\+300 is newer/],
  ["a version in quotes", columns({ v: "1" }), /not a known format/],
  ["a version that is a list", columns({ v: [1] }), /not a known format/],
  ["no version", columns({ v: undefined }), /not a known format/],
  ["an unknown column", columns({ price: [1] }), /no such column: price/],
  ["a column named like a metamethod", raw('"at"', '"__index"'), /no such column/],
  ["a column with a very long name", columns({ ["x".repeat(9_000)]: [1] }), /no such column: x+$/],
  ["a column with half a surrogate", columns({ "\ud800\0": [1] }), /no such column/],
  ["a prototype", raw('"at"', '"__proto__"'), /no such column: __proto__/],
  ["a column that is a string", columns({ at: "1" }), /at: not one value per row/],
  ["a column that is an object", columns({ sale: { 0: "s1" } }), /sale: not one value per row/],
  ["a column that is null", columns({ seq: null }), /seq: not one value per row/],
  ["a short column", columns({ at: [] }), /at: not one value per row/],
  ["a long column", columns({ payment: ["a", "b"] }), /payment: not one value per row/],
  ["one kind too many", columns({ kind: "oo" }), /kind: not one letter per row/],
  ["a kind that is a list", columns({ kind: ["o"] }), /kind: not one letter per row/],
  ["an unknown kind", columns({ kind: "x" }), /kind: not known/],
  ["items that no row counts", columns({ lines: [0] }), /lines: do not add up to/],
  ["more lines than items", columns({ lines: [2] }), /lines: do not add up to/],
  ["an absurd count of lines", columns({ lines: [1e300] }), /lines: do not add up to/],
  ["lines below zero", columns({ lines: [-1] }), /lines: do not add up to/],
  ["half a line", columns({ lines: [0.5] }), /lines: do not add up to/],
  ["lines in quotes", columns({ lines: ["1"] }), /lines: do not add up to/],
  ["lines that answer", columns({ lines: [{ valueOf: 1, toString: 1 }] }), /do not add up/],
  ["items without units", columns({ qty: [] }), /sku, qty: not one value per line/],
  [
    "items that are a string",
    columns({ sku: "a", lines: [1] }),
    /sku, qty: not one value per line/,
  ],
  ["lines lent to another row", lent(), /lines: do not add up to/],
  ["a name that is a number", columns({ order: [17] }), /order: not sound/],
  ["a name that is a list", columns({ order: [[["u"]]] }), /order: not sound/],
  ["a name without a user", columns({ order: [` ${ID}`] }), /order: not sound/],
  ["a name without an id", columns({ order: [user()] }), /order: not sound/],
  ["a user with a space", columns({ order: [`a b ${ID}`] }), /order: not sound/],
  [
    "dashes instead of an id",
    columns({ order: [`${user()} ${"-".repeat(36)}`] }),
    /order: not sound/,
  ],
  ["a cancel with an impossible time", timeless(), /at: not sound/],
  ["a number that only Redis reads", raw('"s1"', "0x1"), /not JSON/],
  ["NaN", raw('"s1"', "NaN"), /not JSON/],
  ["an open decimal", raw('"s1"', "0."), /not JSON/],
  ["a line feed in a string", raw('"tok"', '"to\nk"'), /not JSON/],
  ["a NUL in the text", raw('"tok"', '"to\0k"'), /not JSON/],
  ["nested deeply", `{"v":1,"order":${nested(100_000)}}`, /nested too deeply/],
  ["too many rows in columns", columns({ order: Array(TOO_MANY).fill("u") }), /too many rows/],
  ["a million empty rows", `{"v":1,"order":[${"1,".repeat(500_000)}1]}`, /too many rows/],
  ["too large", `{"v":1,"order":["${"x".repeat(LIMITS.MAX_MESSAGE_BYTES)}"]}`, /too large/],
  ["bytes that are not UTF-8", UTF8_BROKEN, /UTF-8/],
  // Format 0.
  ["an empty array", "[]", /no rows/],
  ["a blank before the array", " [1]", /neither columns nor rows/],
  ["hex in an array", `[${JSON.stringify(row0()).slice(0, -2)}0x1]]`, /not JSON/],
  ["NaN in an array", raw0('"s1",0,', '"s1",NaN,'), /not JSON/],
  ["an array nested deeply", nested(100_000), /nested too deeply/],
  ["members named twice", '[{"a":1,"a":2}]', /not a row/],
  ["rows of an unknown kind", JSON.stringify([row0({ 0: "x" })]), /kind of row/],
  ["a kind that is a list of kinds", JSON.stringify([row0({ 0: ["o"] })]), /kind of row/],
  [
    "dashes instead of an id in an array",
    JSON.stringify([row0({ 2: "-".repeat(36) })]),
    /not sound/,
  ],
  ["a user with a space in an array", JSON.stringify([row0({ 1: "a b" })]), /order: not sound/],
  ["a user who is a number", JSON.stringify([row0({ 1: 17 })]), /no user/],
  [
    "a cancel with an impossible time in an array",
    `[["c","${user()}","${ID}","",-1,"",0]]`,
    /at: not sound/,
  ],
  ["a cancel without a time", `[["c","${user()}","${ID}","",null,"",0]]`, /without a value/],
  ["too many rows in an array", `[${Array(TOO_MANY).fill(1).join()}]`, /too many rows/],
  ["an array that is too large", `["${"x".repeat(LIMITS.MAX_MESSAGE_BYTES)}"]`, /too large/],
];

/** A cancel with an impossible time. */
function timeless(): string {
  return messageText([cancelRow(user(), ID, -1)]);
}
/** Two rows whose items would go to the wrong order if their counts were believed. */
function lent(): string {
  const rows = [makeOrder(user(), { a: 1 }).row, makeOrder(user(), { a: 1 }).row];
  return JSON.stringify({ ...JSON.parse(messageText(rows)), lines: [3, -1] });
}

test(
  "a row that is no order becomes a dead letter with a reason; the orders around it are decided",
  async () => {
    await ready({ a: 1_000 });
    const orders: string[] = [];
    for (const [, body] of GARBAGE) {
      const { order, row } = makeOrder(user(), { a: 1 });
      orders.push(order.id);
      await send(body, { "x-accepted-at": 9e15 });
      await send(messageText([row]));
    }
    for (const id of orders) expect((await stack.decided(user(), id)).state).toBe("reserved");
    // What a glance rejects overtakes what waits for a batch.
    const { reasons, copies } = await deadLetters(GARBAGE.length);
    for (const [what, body, why] of GARBAGE) {
      const reason = reasons[copies.findIndex((copy) => copy.equals(Buffer.from(body as string)))];
      expect([what, reason]).toEqual([what, expect.stringMatching(why)]);
    }
    expectCalm();
  },
  SLOW_MS,
);

const BAD_ORDERS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["a negative time", "4", { at: [-1] }],
  ["a time that Lua's JSON cannot write back", "4", { at: [1e15] }],
  ["a number too large", "6", { seq: [1e10] }],
  ["no items", "8", { lines: [0], sku: undefined, qty: undefined }],
  ["a name too long for a sale", "5", { sale: ["s".repeat(65)] }],
  ["a giant maximum", "11", { maxTotal: [1e300] }],
  ["half a surrogate pair", "9", { payment: ["\ud800"] }],
  ["a payment token too long", "9", { payment: ["x".repeat(LIMITS.MAX_TEXT_BYTES + 1)] }],
  ["a NUL in its metadata", "10", { metadata: ["a\0b"] }],
];
/** The changed value, as it stands in format 0. */
const valueOf0 = (changes: Record<string, unknown>) =>
  "lines" in changes ? [] : (Object.values(changes) as [unknown][])[0]?.[0];
/** An order with one item too many. */
function crowded(id: string): string {
  const items = Array.from({ length: LIMITS.MAX_LINES + 1 }, (_, i) => [`i${i}`, 1]);
  return messageText([makeOrder(user(), Object.fromEntries(items), { id }).row]);
}

describe("each in the same system", () => {
  beforeAll(async () => {
    await ready({ a: 1_000 });
    shared = true;
  }, SLOW_MS);
  beforeEach(() => {
    begun = stack.events.length;
  });
  afterAll(async () => {
    shared = false;
    await stack.stop();
  });

  test.each([
    ...BAD_ORDERS.map(
      ([what, , changes]) =>
        [what, (id: string) => columns({ order: [`${user()} ${id}`], ...changes })] as const,
    ),
    ...BAD_ORDERS.map(
      ([what, at, changes]) =>
        [
          `${what}, in format 0`,
          (id: string) => JSON.stringify([row0({ 2: id, [at]: valueOf0(changes) })]),
        ] as const,
    ),
    ["too many items", (id: string) => crowded(id)],
    [
      "a field after the trace, in format 0",
      (id: string) => JSON.stringify([row0({ 2: id, 12: null, 13: 1 })]),
    ],
    [
      "items that are not a list, in format 0",
      (id: string) => JSON.stringify([row0({ 2: id, 8: { length: 2 } })]),
    ],
    [
      "a maximum that is null, in format 0",
      (id: string) => JSON.stringify([row0({ 2: id, 11: null })]),
    ],
  ] as const)(
    "an order with %s is rejected once, however often it is sent, and delays no other",
    async (_, bad) => {
      // Redis does not remember the order with the old id.
      for (const id of [Bun.randomUUIDv7(), Bun.randomUUIDv7("hex", Date.now() - 86_400_000)]) {
        await send(bad(id));
        expect((await stack.decided(user(), id)).state).toBe("rejected");
        await send(bad(id));
        const next = makeOrder(user(), { a: 1 });
        await send(messageText([next.row]));
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
});

test(
  "one bad row among many costs a few more calls to Redis, not one per order",
  async () => {
    const worker = await ready({ a: 1_000 });
    const made = Array.from({ length: 400 }, () => makeOrder(user(), { a: 1 }));
    const rows: Row[] = made.map(({ row }) => row);
    rows[200] = cancelRow(user(), "no id", 1);
    const before = calls(worker.report());
    await send(messageText(rows));
    for (const at of [0, 399])
      expect((await stack.decided(user(), made[at]?.order.id ?? "")).state).toBe("reserved");
    expect(calls(worker.report()) - before).toBeLessThanOrEqual(4);
    expect((await deadLetters(1)).reasons).toEqual([
      expect.stringMatching(/^1 of 400 rows: order: not sound/),
    ]);
    expectCalm();
  },
  SLOW_MS,
);

test(
  "many late orders in one message are settled together, each once; known ones stay as they are",
  async () => {
    const worker = await ready({ a: 10 });
    const late = Array.from({ length: 200 }, (_, i) =>
      makeOrder(user(), { a: 1 }, { id: Bun.randomUUIDv7("hex", Date.now() - 86_400_000 + i) }),
    );
    const before = calls(worker.report());
    const body = messageText(late.map((l) => l.row));
    await send(body);
    await stack.decided(user(), late[199]?.order.id ?? "");
    await send(body);
    const next = makeOrder(user(), { a: 1 });
    await send(messageText([next.row]));
    expect((await stack.decided(user(), next.order.id)).state).toBe("reserved");
    expect((await stack.ledger.order(user(), late[0]?.order.id ?? ""))?.state).toBe("stale");
    expect(calls(worker.report()) - before).toBeLessThanOrEqual(6);
    expectCalm();
  },
  SLOW_MS,
);

test(
  "Redis's answer shows that its state was replaced, even for an order that it knows",
  async () => {
    await ready({ a: 10 });
    const first = makeOrder(user(), { a: 1 });
    await send(messageText([first.row]));
    await stack.decided(user(), first.order.id);
    const redis = await stack.client();
    await redis.client.hset("{0}:meta", "tip", "of-another-history");
    await redis.close();
    await send(messageText([first.row]));
    await stack.until("the rebuild", () => since("redis rebuilt").length > 0);
    expect(String(since("shard released")[0]?.why)).toMatch(/^lost/);
    const next = makeOrder(user(), { a: 1 });
    await send(messageText([next.row]));
    expect((await stack.decided(user(), next.order.id)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "an unreadable entry in Redis is kept as a dead letter, and the shard continues",
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
    await send(messageText([row]));
    expect((await stack.decided(user(), order.id)).state).toBe("reserved");
    expect((await deadLetters(1)).reasons[0]).toMatch(/cannot be read/);
    expect(since("entry unreadable")).toHaveLength(1);
    expectCalm();
  },
  SLOW_MS,
);
