// During an upgrade, workers of this release consume what gateways of the last one publish, rows of
// format 0, beside columns: for the same users, in one sequence.
import { afterEach, expect, test } from "bun:test";
import type { ChannelModel } from "amqplib";
import { ORDERS_DEAD } from "../broker/topology.ts";
import type { RegionLink } from "../consumers/orders/relay.ts";
import { MESSAGE_VERSION } from "../core/domain/fields.ts";
import { messageText } from "../core/domain/message.ts";
import { cancelRow, type Row } from "../core/domain/row.ts";
import { makeOrder, makeSkip, Stack, userOf } from "./stack.ts";

const SLOW_MS = 120_000;
let stack: Stack;
afterEach(async () => stack?.stop(), SLOW_MS);

async function ready(items: Record<string, number>): Promise<void> {
  stack = await Stack.start();
  await stack.sale(items);
  await stack.worker("w1");
  await stack.until(
    "the sale in Redis",
    async () => (await stack.ledger.operationsOpen()).length === 0,
  );
}

/** As gateways and consumers before format 1 wrote it. */
function text0(rows: readonly Row[]): string {
  return JSON.stringify(rows.map(values0));
}

function values0(row: Row): unknown[] {
  switch (row.kind) {
    case "order":
    case "redrive": {
      const { order, fingerprint, atMs, trace } = row;
      const { user, id, saleId, seq, currency, payment, metadata, maxTotal } = order;
      const lines = order.lines.flatMap(({ sku, qty }) => [sku, qty]);
      const own = [user, id, fingerprint, atMs, saleId, seq, currency, lines];
      const rest = [payment, metadata, maxTotal];
      const named = trace === undefined ? [] : [trace];
      if (row.kind === "order") return ["o", ...own, ...rest, ...named];
      return ["r", ...own, ...rest, row.generation, ...named];
    }
    case "skip":
      return ["s", row.user, "", "", row.atMs, row.saleId, row.seq];
    case "cancel":
      return ["c", row.user, row.id, "", row.atMs, "", 0];
    case "answer": {
      const { user, id, atMs, generation, attempt, answer, detail } = row;
      return ["p", user, id, "", atMs, "", 0, generation, attempt, answer, detail];
    }
    case "part": {
      const { user, id, atMs, generation, part, of, report, service } = row;
      return ["f", user, id, "", atMs, "", 0, generation, part, of, report, service];
    }
  }
}

const FORMATS = [text0, messageText] as const;

test(
  "numbered orders of both formats are decided in the order of their numbers, each once",
  async () => {
    await ready({ a: 3 });
    const user = userOf(0);
    const orders = [1, 2, 3, 4, 5].map((seq) => makeOrder(user, { a: 1 }, { seq }));
    const rows = (...numbers: number[]) => orders.filter((_, i) => numbers.includes(i + 1));
    const send = (format: number, list: readonly Row[]) =>
      stack.publishText(0, FORMATS[format % 2]?.(list) ?? "");
    await send(
      0,
      rows(3, 5).map((r) => r.row),
    );
    await send(1, [...rows(4).map((r) => r.row), makeSkip(user, 2)]);
    await stack.decided(user, orders[4]?.order.id ?? "");
    await send(
      1,
      rows(1).map((r) => r.row),
    );
    for (const [i, state] of [
      [0, "reserved"],
      [2, "reserved"],
      [3, "reserved"],
      [4, "sold_out"],
    ] as const)
      await stack.becomes(user, orders[i]?.order.id ?? "", state);
    // Resent in the other format, each is recognized: nothing changes, and there is no conflict.
    for (const format of [0, 1])
      await send(
        format,
        orders.filter((_, i) => i !== 1).map((r) => r.row),
      );
    const last = makeOrder(user, { a: 1 });
    await send(0, [last.row]);
    expect((await stack.decided(user, last.order.id)).state).toBe("sold_out");
    for (const { order } of orders.filter((_, i) => i !== 1)) {
      const events = await stack.ledger.events(order.user, order.id);
      expect(events.filter(({ event }) => event === "conflict")).toEqual([]);
    }
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 0, held: 3 }]);
  },
  SLOW_MS,
);

test.each([
  ["an order of format 0 is cancelled by a column", 0],
  ["an order of columns is cancelled by a row of format 0", 1],
])(
  "%s, and changed in the other format it is a conflict",
  async (_, first) => {
    await ready({ a: 5 });
    const user = userOf(0);
    const { order, row } = makeOrder(user, { a: 1 });
    const [one, other] = first === 0 ? FORMATS : [messageText, text0];
    await stack.publishText(0, one([row]));
    expect((await stack.decided(user, order.id)).state).toBe("reserved");
    const changed = makeOrder(user, { a: 2 }, { id: order.id });
    await stack.publishText(0, other([changed.row]));
    await stack.publishText(0, other([cancelRow(user, order.id, Date.now())]));
    await stack.becomes(user, order.id, "cancelled");
    const events = await stack.ledger.events(user, order.id);
    expect(events.map(({ event }) => event)).toContain("conflict");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 5, held: 0 }]);
  },
  SLOW_MS,
);

test(
  "users' orders in messages of both formats, some of them with rows that make no sense, all end",
  async () => {
    await ready({ a: 1_000 });
    const users = [0, 1, 2].map((n) => userOf(0, n));
    const made = Array.from({ length: 60 }, (_, i) =>
      makeOrder(users[i % 3] as string, { a: 1 }, { seq: Math.floor(i / 3) + 1 }),
    );
    for (let i = 0; i < made.length; i += 4) {
      const rows: Row[] = made.slice(i, i + 4).map((m) => m.row);
      if (i % 3 === 0) rows.push(cancelRow("", "nobody", 1));
      await stack.publishText(0, (i % 8 === 0 ? text0 : messageText)(rows));
    }
    for (const { order } of made) await stack.becomes(order.user, order.id, "reserved");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 940, held: 60 }]);
  },
  SLOW_MS,
);

test(
  "a message of a format that is newer is a dead letter that says to upgrade the workers",
  async () => {
    await ready({ a: 1 });
    const user = userOf(0);
    const later = messageText([makeOrder(user, { a: 1 }).row]);
    const format = MESSAGE_VERSION + 1;
    await stack.publishText(0, later.replace(`"v":${MESSAGE_VERSION}`, `"v":${format}`));
    const { order, row } = makeOrder(user, { a: 1 });
    await stack.publish(0, [row]);
    expect((await stack.decided(user, order.id)).state).toBe("reserved");
    const { connection } = stack.links[0] as RegionLink;
    const channel = await (connection.model as ChannelModel).createChannel();
    const letter = await channel.get(ORDERS_DEAD, { noAck: true });
    await channel.close();
    const reason: unknown = (letter || undefined)?.properties.headers?.["x-reason"];
    expect(reason).toMatch(new RegExp(`^format ${format} is newer .*upgrade workers first$`));
  },
  SLOW_MS,
);
