// The client against the running product: one effect per order, whatever happens on the way.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "amqplib";
import { Shop } from "../../testing.ts";
import {
  AmqpParts,
  type Live,
  type Part,
  partKey,
  Refused,
  Service,
  Sluice,
  Unfinished,
} from "../src/index.ts";
import { manifest, type Package, packed, readme, run } from "./test-package.ts";

const SLOW_MS = 60_000;
const HOUR_MS = 3_600_000;
const LAMP = { saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };
const PRINT = { saleId: "demo", currency: "EUR", lines: [{ sku: "print", qty: 1 }] };
let shop: Shop;
let gateway: string;
let npm: Package;
const open: Live[] = [];

beforeAll(async () => {
  const opened = Shop.open({ lamp: 1_000, print: 10, rare: 1 }, { categories: { print: "art" } });
  [shop, npm] = await Promise.all([opened, packed()]);
  gateway = await shop.gateway();
}, SLOW_MS);
afterAll(async () => {
  for (const live of open) live.close();
  await shop?.close();
}, SLOW_MS);

async function openLive(user: string, gateways: string | string[] = gateway): Promise<Live> {
  const opened = await new Sluice({ gateways, token: await shop.token(user) }).live();
  open.push(opened);
  return opened;
}

async function client(user: string, more: Partial<ConstructorParameters<typeof Sluice>[0]> = {}) {
  const token = await shop.token(user);
  return new Sluice({ gateways: gateway, token, ...more });
}

test(
  "an order is placed, decided and paid; its events come once, in order",
  async () => {
    const sluice = await client("ann");
    const order = await sluice.place(LAMP);
    expect(order.status).toBe("accepted");
    expect((await order.outcome()).status).toBe("reserved");
    const seen: string[] = [];
    const numbers: number[] = [];
    for await (const { event, n } of order.events()) {
      seen.push(event);
      numbers.push(n);
      if (event === "paid") break;
    }
    expect(seen).toContain("reserved");
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(await order.get()).toMatchObject({ id: order.id, saleId: "demo", status: "paid" });
    expect(await shop.orders("ann")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "an answer lost on the way: the same order is sent again, and counts once",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("bob", { gateways: url });
    line.resetAfter("answers", 10);
    const order = await sluice.place(LAMP);
    expect(line.counts.resets).toBe(1);
    expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("bob")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "events over HTTP continue behind the last one after the stream was cut",
  async () => {
    const { line, url } = await shop.line(gateway);
    const order = await (await client("rob", { gateways: url })).place(LAMP);
    const seen: number[] = [];
    for await (const { event, n } of order.events()) {
      if (seen.push(n) === 1) line.cut();
      if (event === "paid") break;
    }
    expect(line.counts.cut).toBeGreaterThan(0);
    expect(seen).toEqual([...new Set(seen)].sort((one, other) => one - other));
  },
  SLOW_MS,
);

test(
  "a gateway that is away or silent is followed by the next one",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("cai", { gateways: [url, gateway], attemptMs: 300 });
    line.stall("answers");
    const silent = await sluice.place(LAMP);
    line.refuse();
    const away = await (await client("cai", { gateways: [url, gateway] })).place(LAMP);
    for (const order of [silent, away]) expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("cai")).toHaveLength(2);
  },
  SLOW_MS,
);

test(
  "no gateway within the deadline: the error says that the effect is unknown",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("dan", { gateways: url });
    line.stall("answers");
    const draft = await sluice.draft(LAMP, { deadlineMs: 200 });
    const failed = sluice.place(draft, { deadlineMs: 500 });
    expect(await failed.catch((error) => error)).toBeInstanceOf(Unfinished);
    expect(await failed.catch((error) => error)).toMatchObject({
      ...{ reason: "deadline", effect: "unknown", orderId: draft.id },
    });
    // The stored draft, placed again, is the same order.
    const order = await (await client("dan")).place(draft, { again: true });
    expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("dan")).toHaveLength(1);
  },
  SLOW_MS,
);

test.each([
  ["ahead", HOUR_MS],
  ["behind", -HOUR_MS],
])(
  "a clock an hour %s is corrected by the gateway's",
  async (_, offMs) => {
    const now = () => Date.now() + offMs;
    const order = await (await client("eve", { now })).place(LAMP);
    expect((await order.outcome()).status).toBe("reserved");
    const sluice = await client("eve", { now });
    const draft = await sluice.draft(LAMP);
    expect((await sluice.place(draft)).id).toBe(draft.id);
  },
  SLOW_MS,
);

test(
  "a wrong order is refused at once, with the field at fault",
  async () => {
    const sluice = await client("fay");
    const refused = await sluice
      .place({ ...LAMP, lines: [{ sku: "lamp", qty: 0 }] })
      .catch((error) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({
      ...{ code: "out_of_range", effect: "none" },
      problem: { status: 422, field: "lines[0].qty" },
    });
  },
  SLOW_MS,
);

test(
  "sold out is an outcome, whoever noticed it: the shard or the gateway",
  async () => {
    const sluice = await client("quy");
    const rare = { ...LAMP, lines: [{ sku: "rare", qty: 1 }] };
    expect((await (await sluice.place(rare)).outcome()).status).toMatch(/^(reserved|paid)$/);
    await shop.stack.until("the gateway to notice it", async () => {
      const order = await sluice.place(rare);
      expect((await order.outcome()).status).toBe("sold_out");
      return order.status === "sold_out";
    });
  },
  SLOW_MS,
);

test(
  "an order can be cancelled, and a second cancel changes nothing",
  async () => {
    const sluice = await client("gus");
    const order = await sluice.place(LAMP);
    await order.outcome();
    for (let n = 0; n < 2; n++) expect(await order.cancel()).toEqual({ status: "cancelled" });
    expect((await order.finished()).status).toBe("cancelled");
  },
  SLOW_MS,
);

test(
  "numbered orders are decided by number; a refused one leaves its number to the next",
  async () => {
    const sequence = (await client("hal")).sequence("demo");
    const lamp = { currency: "EUR", lines: LAMP.lines };
    const [first, second] = [await sequence.draft(lamp), await sequence.draft(lamp)];
    await sequence.place(second);
    await sequence.place(first);
    const wrong = { currency: "EUR", lines: [{ sku: "lamp", qty: 0 }] };
    expect(await sequence.place(wrong).catch((error) => error)).toBeInstanceOf(Refused);
    const third = await sequence.place(lamp);
    expect([first.seq, second.seq, third.seq, sequence.next]).toEqual([1, 2, 3, 4]);
    expect((await third.outcome()).status).toBe("reserved");
    await sequence.skip(4);
    const fifth = await sequence.place(lamp);
    expect([fifth.seq, (await fifth.outcome()).status]).toEqual([5, "reserved"]);
  },
  SLOW_MS,
);

test(
  "a token that has ended is renewed once",
  async () => {
    const good = await shop.token("ida");
    const given = ["rubbish", good];
    const sluice = await client("ida", { token: () => given.shift() ?? "none left" });
    expect((await sluice.place(LAMP)).status).toBe("accepted");
    expect(given).toEqual([]);
    const hopeless = await (await client("ida", { token: "rubbish" })).place(LAMP).catch((e) => e);
    expect(hopeless).toMatchObject({ name: "Refused", code: "bad_token" });
  },
  SLOW_MS,
);

test("npm pack holds the build with its types, the README and the licence, and no source", () => {
  const other = npm.files.filter((file) => !/^dist\/[\w-]+\.(js|d\.ts)$/.test(file));
  expect(other.sort()).toEqual(["LICENSE", "README.md", "package.json"]);
  for (const file of ["dist/index.js", "dist/index.d.ts"]) expect(npm.files).toContain(file);
  const { dependencies, peerDependencies } = manifest();
  expect([dependencies, peerDependencies]).toEqual([undefined, undefined]);
});

test(
  "five lines of the README place an order exactly once, in Node",
  async () => {
    const [, example = ""] = /```js\n(.*?)```/s.exec(readme()) ?? [];
    expect(example.trim().split("\n")).toHaveLength(5);
    await Bun.write(`${npm.dir}/example.mjs`, example);
    const env = { GATEWAY: gateway, TOKEN: await shop.token("kim") };
    const out = await run(npm.dir, env, "node", "example.mjs");
    const [order, ...others] = await shop.orders("kim");
    expect([out, others]).toEqual([`${order?.id} reserved\n`, []]);
  },
  SLOW_MS,
);

test(
  "a hundred follows on a socket that is cut: Node warns of no leak of listeners",
  async () => {
    const { line, url } = await shop.line(gateway);
    await Bun.write(`${npm.dir}/follows.mjs`, FOLLOWS);
    const env = { GATEWAY: url, TOKEN: await shop.token("uma") };
    const command = ["node", "--experimental-websocket", "follows.mjs"];
    const following = run(npm.dir, env, ...command);
    await shop.stack.until("the follows", () => line.counts.passed.requests > FOLLOWED_BYTES);
    line.cut();
    // The caller's signal has one listener, for all its follows.
    expect(JSON.parse(await following)).toEqual({ ended: 100, warnings: [], listeners: 1 });
  },
  SLOW_MS,
);

/** More than the frames before the follows. */
const FOLLOWED_BYTES = 5_000;
/** A hundred orders are followed, half with a signal of the caller. */
const FOLLOWS = `
import { getEventListeners } from "node:events";
import { Sluice } from "@sluice/client";
const warnings = [];
process.on("warning", ({ name }) => name === "ExperimentalWarning" || warnings.push(name));
const sluice = new Sluice({ gateways: [process.env.GATEWAY], token: process.env.TOKEN });
const live = await sluice.live();
const mine = new AbortController();
const order = () => live.order(crypto.randomUUID());
const follows = Array.from({ length: 50 }, () => [
  order().finished({ signal: mine.signal }),
  order().outcome(),
]).flat();
await new Promise((resolve) => setTimeout(resolve, 3_000));
const listeners = getEventListeners(mine.signal, "abort").length;
mine.abort();
live.close();
const ended = (await Promise.allSettled(follows)).filter(({ status }) => status === "rejected");
console.log(JSON.stringify({ ended: ended.length, warnings, listeners }));
`;

test(
  "a service claims parts, works on each and reports it",
  async () => {
    await shop.stack.route("art", "gallery");
    const worked: string[] = [];
    const work = (part: Part, key: string): void => {
      expect(part.lines).toMatchObject([{ sku: "print", qty: 1, category: "art" }]);
      worked.push(key);
    };
    const url = shop.stack.settings.regions[0]?.url as string;
    const amqp = { service: "gallery", userId: "guest", connect: () => connect(url) };
    const stopping = new AbortController();
    const service = new Service({ source: new AmqpParts(amqp), work }).run(stopping.signal);
    const sluice = await client("lea");
    const orders = await Promise.all([sluice.place(PRINT), sluice.place(PRINT)]);
    for (const order of orders) expect((await order.finished()).status).toBe("dispatched");
    stopping.abort();
    await service;
    const keys = orders.map(({ id }) => partKey({ user: "lea", id, generation: 1, part: 1 }));
    expect(worked.sort()).toEqual(keys.sort());
  },
  SLOW_MS,
);

test(
  "an order goes out and its outcome comes in; stock is pushed",
  async () => {
    const socket = await openLive("mia");
    const stock: (number | undefined)[] = [];
    const stop = socket.watchStock("demo", (units) => stock.push(units.get("lamp")));
    const order = await socket.place(LAMP);
    expect((await order.outcome()).status).toBe("reserved");
    const seen: string[] = [];
    for await (const { event } of order.events()) {
      seen.push(event);
      if (event === "paid") break;
    }
    expect(seen).toContain("reserved");
    await shop.stack.until(
      "a lower stock to be pushed",
      () => (stock.at(-1) ?? 0) < (stock[0] ?? 0),
    );
    stop();
  },
  SLOW_MS,
);

test(
  "a socket that breaks after the order left: it is sent again, and counts once",
  async () => {
    const { line, url } = await shop.line(gateway);
    const socket = await openLive("ned", url);
    line.resetAfter("answers", 10);
    const order = await socket.place(LAMP);
    expect(line.counts.resets).toBe(1);
    expect((await order.outcome()).status).toMatch(/^(reserved|paid)$/);
    expect(await shop.orders("ned")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "a silent socket is given up, and the next gateway gets the order",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = new Sluice({ gateways: [url, gateway], token: await shop.token("oda") });
    const socket = await sluice.live({ attemptMs: 500 });
    open.push(socket);
    line.stall("answers");
    const order = await socket.place(LAMP);
    expect((await order.outcome()).status).toMatch(/^(reserved|paid)$/);
    expect(await shop.orders("oda")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "events continue behind the last one after the socket was cut",
  async () => {
    const { line, url } = await shop.line(gateway);
    const socket = await openLive("pia", url);
    const order = await socket.place(LAMP);
    const seen: string[] = [];
    for await (const { event } of order.events()) {
      if (seen.push(event) === 1) line.cut();
      if (event === "cancelled") break;
      if (event === "paid") expect((await order.cancel()).status).toBe("cancelled");
    }
    expect(line.accepted).toBeGreaterThan(1);
    expect(seen.filter((event) => event === "reserved")).toHaveLength(1);
    expect(seen.slice(0, 1).concat(seen.slice(-1))).toEqual(["reserved", "cancelled"]);
    // As after a restart of the program.
    expect((await socket.order(order.id).finished()).status).toBe("cancelled");
  },
  SLOW_MS,
);

test(
  "a refused token ends it; without a WebSocket the error says what to pass",
  async () => {
    const refused = await new Sluice({ gateways: gateway, token: "rubbish" })
      .live()
      .catch((error) => error);
    expect(refused).toMatchObject({ name: "Refused", code: "bad_token" });
    const global = globalThis as { WebSocket?: unknown };
    const { WebSocket } = global;
    try {
      global.WebSocket = undefined;
      const missing = await new Sluice({ gateways: gateway, token: "t" })
        .live({ deadlineMs: 300 })
        .catch((error) => error);
      expect(missing.message).toContain("package ws");
    } finally {
      global.WebSocket = WebSocket;
    }
  },
  SLOW_MS,
);
