// An order's life as its buyer sees it: every step, in order, at least once, across reconnects and
// gateways.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { connect } from "node:net";
import type { Entry, Step } from "../../core/domain/entry.ts";
import { messageText } from "../../core/domain/message.ts";
import { orderRow, type Row } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LedgerWriter } from "../../ledger/contract.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { bearer, order, post, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";

const SHARDS = 4;
const SHARD = shardOf("ann", SHARDS);
let test1: TestGateway;
let writer: LedgerWriter;
let record: (rows: readonly Row[], words: string, steps?: readonly Step[]) => Promise<void>;

beforeEach(async () => {
  test1 = await startTestGateway();
  writer = await openLedgerWriter(realRuntime, `sqlite:${test1.ledgerPath}`);
  const { epoch } = await writer.takeShard(SHARD, "w");
  let n = 0;
  record = async (rows, words, steps = []) => {
    n++;
    const messages =
      rows.length === 0
        ? []
        : [{ gateway: "g", batch: "1", body: messageText(rows), outcomes: words }];
    const entry: Entry = {
      shard: SHARD,
      id: `e${n}`,
      prev: n === 1 ? "genesis" : `e${n - 1}`,
      n,
      kind: "decide",
      atMs: 5,
      messages,
      released: [],
      steps,
    };
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  };
});
afterEach(async () => {
  await writer.close();
  await test1.close();
});

const text = (id: string) =>
  orderRow(
    {
      user: "ann",
      id,
      saleId: "spring",
      seq: 0,
      currency: "EUR",
      lines: [{ sku: "lamp", qty: 1 }],
      payment: "",
      metadata: "",
      maxTotal: 0,
    },
    1,
  );
const step = (
  what: "paid" | "claimed" | "done" | "dispatched" | "cancelled" | "refund",
  id: string,
  detail = "",
): Step => {
  const of = { user: "ann", id, generation: 1, attempt: 1, gateway: "g", saleId: "spring" };
  return { what, ...of, lines: [{ sku: "lamp", qty: 1 }], detail };
};

/** A whole life in three entries. */
async function live(id: string): Promise<void> {
  await record([text(id)], "reserved");
  await record([], "", [step("paid", id)]);
  await record([], "", [step("claimed", id, "1 1 depot")]);
  await record([], "", [step("done", id, "1 1 depot"), step("dispatched", id)]);
}

type Told = { id: string | undefined; event: string; data: Record<string, unknown> };

/** Reads a stream's events up to `until`, or to its end. */
async function read(
  url: string,
  id: string,
  options: { last?: string; until?: string; user?: string; expiresInS?: number } = {},
): Promise<{ status: number; told: Told[] }> {
  const headers = {
    ...(await bearer(options.user ?? "ann", { expiresInS: options.expiresInS ?? 3_600 })),
    ...(options.last === undefined ? {} : { "last-event-id": options.last }),
  };
  const stop = new AbortController();
  const response = await fetch(`${url}/v1/orders/${id}/events`, { headers, signal: stop.signal });
  const told: Told[] = [];
  if (response.status !== 200 || !response.body) return { status: response.status, told };
  let left = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    left += decoder.decode(chunk, { stream: true });
    const blocks = left.split("\n\n");
    left = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) => block.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
      if (field("event"))
        told.push({
          id: field("id"),
          event: field("event") as string,
          data: JSON.parse(field("data") as string),
        });
    }
    if (told.some((t) => t.event === options.until)) break;
  }
  stop.abort();
  return { status: response.status, told };
}

const words = ({ told }: { told: Told[] }) => told.map((t) => t.event);

test("every step arrives in order with its details; the stream ends after the last", async () => {
  const id = Bun.randomUUIDv7();
  await live(id);
  const { told } = await read(test1.gateway.url, id);
  expect(told.map((t) => t.event)).toEqual(["reserved", "paid", "claimed", "done", "dispatched"]);
  expect(told[0]).toMatchObject({
    id: "0",
    data: { id, event: "reserved", at: "1970-01-01T00:00:00.005Z" },
  });
  expect(told[2]?.data.detail).toMatchObject({ part: 1, parts: 1, service: "depot" });
});

test("resumed after any event, at any gateway, it continues; after the last: 204", async () => {
  const id = Bun.randomUUIDv7();
  await live(id);
  const other = await startTestGateway({ ledger: test1.ledger, id: "gw-other" });
  const all = (await read(test1.gateway.url, id)).told;
  for (let i = 0; i < all.length - 1; i++) {
    const rest = await read(other.gateway.url, id, { last: all[i]?.id });
    expect(words(rest)).toEqual(all.slice(i + 1).map((t) => t.event));
  }
  expect((await read(other.gateway.url, id, { last: all.at(-1)?.id })).status).toBe(204);
  await other.gateway.close();
});

test("an order that was just accepted is followed from then on, live", async () => {
  const sent = order();
  const id = sent.id as string;
  expect((await post(`${test1.gateway.url}/v1/orders`, sent, await bearer("ann"))).status).toBe(
    202,
  );
  const reading = read(test1.gateway.url, id);
  await Bun.sleep(100);
  await live(id);
  expect(words(await reading)).toEqual([
    "accepted",
    "reserved",
    "paid",
    "claimed",
    "done",
    "dispatched",
  ]);
});

test("a cancelled order's stream stays open for its refund", async () => {
  const id = Bun.randomUUIDv7();
  await record([text(id)], "reserved");
  await record([], "", [step("paid", id)]);
  const reading = read(test1.gateway.url, id, { until: "refund" });
  await Bun.sleep(100);
  await record([], "", [step("cancelled", id, "sold")]);
  await Bun.sleep(500);
  await record([], "", [step("refund", id)]);
  expect(words(await reading)).toEqual(["reserved", "paid", "cancelled", "refund"]);
});

test("a stream ends with its token", async () => {
  const id = Bun.randomUUIDv7();
  await record([text(id)], "reserved");
  // `exp` is in whole seconds: 2 leaves it more than one.
  const { status, told } = await read(test1.gateway.url, id, { expiresInS: 2 });
  expect([status, ...told.map((t) => t.event)]).toEqual([200, "reserved"]);
});

test("another user's order, an unknown order and an invalid position are refused", async () => {
  const id = Bun.randomUUIDv7();
  await live(id);
  expect((await read(test1.gateway.url, id, { user: "eve" })).status).toBe(404);
  expect((await read(test1.gateway.url, Bun.randomUUIDv7())).status).toBe(404);
  expect((await read(test1.gateway.url, "x")).status).toBe(422);
  for (const last of ["-1", "x", "1.5"])
    expect((await read(test1.gateway.url, id, { last })).status).toBe(422);
  expect((await fetch(`${test1.gateway.url}/v1/orders/${id}/events`)).status).toBe(401);
});

test("streams are bounded, and a disconnected client frees its place", async () => {
  await test1.gateway.close();
  const bounded = await startTestGateway({ limits: { followed: 1 }, ledger: test1.ledger });
  const id = Bun.randomUUIDv7();
  await record([text(id)], "reserved");
  const first = new AbortController();
  const url = `${bounded.gateway.url}/v1/orders/${id}/events`;
  const headers = await bearer("ann");
  const open = await fetch(url, { headers, signal: first.signal });
  expect(open.status).toBe(200);
  const second = await fetch(url, { headers });
  expect([second.status, second.headers.get("retry-after")]).toEqual([503, "1"]);
  first.abort();
  let status = 503;
  for (let i = 0; i < 100 && status === 503; i++) {
    await Bun.sleep(20);
    const again = new AbortController();
    status = (await fetch(url, { headers, signal: again.signal })).status;
    again.abort();
  }
  expect(status).toBe(200);
  await bounded.gateway.close();
});

test("a client that stops reading is disconnected, which frees its place", async () => {
  const id = Bun.randomUUIDv7();
  await record([text(id)], "reserved");
  const { hostname, port } = new URL(test1.gateway.url);
  const { authorization } = await bearer("ann");
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write(
    `GET /v1/orders/${id}/events HTTP/1.1\r\nhost: x\r\nauthorization: ${authorization}\r\n\r\n`,
  );
  const followed = async () =>
    Number(
      /sluice_gateway_followed_orders\{[^}]*\} (\d+)/.exec(
        await (await fetch(`${test1.gateway.url}/metrics`)).text(),
      )?.[1],
    );
  while ((await followed()) === 0) await Bun.sleep(10);
  socket.destroy();
  for (let i = 0; i < 200 && (await followed()) > 0; i++) await Bun.sleep(20);
  expect(await followed()).toBe(0);
});

test("over a WebSocket several orders are followed, each from its own position", async () => {
  const [first, second] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  await live(first);
  const socket = await TestSocket.open(test1.gateway.url, "ann");
  socket.send({ type: "follow", orders: [{ id: first, after: 0 }, { id: second }] });
  expect(((await socket.next("events")).events as unknown[][]).map((e) => [e[0], e[2]])).toEqual([
    [first, "paid"],
    [first, "claimed"],
    [first, "done"],
    [first, "dispatched"],
  ]);
  await record([text(second)], "reserved");
  expect((await socket.next("events")).events).toEqual([
    [second, 0, "reserved", "1970-01-01T00:00:00.005Z"],
  ]);
  socket.send({ type: "unfollow", orders: [{ id: second }] });
  await record([], "", [step("paid", second)]);
  socket.send({ type: "follow", orders: [{ id: second, after: 0 }] });
  expect(((await socket.next("events")).events as unknown[][]).map((e) => e[2])).toEqual(["paid"]);
  socket.ws.close();
});

test("an order that a socket cannot follow is named", async () => {
  const socket = await TestSocket.open(test1.gateway.url, "ann");
  const good = { id: Bun.randomUUIDv7() };
  for (const [orders, code, field] of [
    [[], "out_of_range", "orders"],
    ["garbage", "out_of_range", "orders"],
    [["garbage"], "not_an_object", "orders[0]"],
    [[good, { id: "x" }], "out_of_range", "orders[1].id"],
    [[{ ...good, after: -2 }], "out_of_range", "orders[0].after"],
    [[{ ...good, user: "eve" }], "forbidden", "orders[0].user"],
    [[good, good, { ...good, since: 1 }], "unknown_field", "orders[2].since"],
  ] as const) {
    socket.send({ type: "follow", orders });
    expect((await socket.next("error")).problem).toMatchObject({ code, field });
  }
  socket.ws.close();
});
