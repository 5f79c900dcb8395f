// Whatever a message holds, it ends, and nothing else waits for it (I1, I3, I11).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { ChannelModel } from "amqplib";
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersKey } from "../../broker/topology.ts";
import { at } from "../../core/domain/at.ts";
import { messageText } from "../../core/domain/message.ts";
import type { WorkerReport } from "../../core/domain/report.ts";
import { cancelRow, type Row } from "../../core/domain/row.ts";
import { makeOrder, Stack } from "../../test/stack.ts";
import { BAD_ORDERS, columns, crowded, GARBAGE, row0, user, valueOf0 } from "./test-garbage.ts";

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
