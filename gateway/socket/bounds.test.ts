// What one client sends, or how many sockets it opens, bounds its own share, never that of others.
import { afterEach, expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { until } from "../../test/until.ts";
import { bearer, closeGateways, order, post, start, TestSocket, token } from "../testing.ts";
import type { Socket } from "./socket.ts";
import { StockFeed } from "./stock-feed.ts";

afterEach(closeGateways);

const opened = (url: string, user?: string, scope?: string) =>
  TestSocket.open(url, user, scope === undefined ? {} : { scope });

test("the oldest socket without a token makes room, of its address first", async () => {
  const t = await start({ limits: { strangerSockets: 3, strangersPerAddress: 2 } });
  const first = await opened(t.gateway.url);
  const second = await opened(t.gateway.url);
  const third = await opened(t.gateway.url);
  expect(await first.closed).toEqual({ code: 1008, reason: "too many sockets without a token" });
  for (const socket of [second, third]) {
    socket.send({ type: "auth", token: await token("ann") });
    expect(await socket.next("ready")).toMatchObject({ user: "ann" });
  }
  // Those that showed a token are no strangers any more.
  await opened(t.gateway.url);
  third.send({ type: "ping" });
  await third.next("pong");
});

test("a user's sockets are bounded, a service's at ten times as many", async () => {
  const t = await start({ limits: { socketsPerUser: 2 } });
  const [one] = [await opened(t.gateway.url, "ann"), await opened(t.gateway.url, "ann")];
  expect(opened(t.gateway.url, "ann")).rejects.toThrow("refused");
  const late = await opened(t.gateway.url);
  late.send({ type: "auth", token: await token("ann") });
  expect((await late.next("error")).problem).toMatchObject({ code: "rate_limited" });
  expect((await late.closed).code).toBe(1008);
  await opened(t.gateway.url, "bob");
  for (let i = 0; i < 20; i++) await opened(t.gateway.url, "shop", "service");
  expect(opened(t.gateway.url, "shop", "service")).rejects.toThrow("refused");
  one?.ws.close();
  await one?.closed;
  await until("a place", () =>
    opened(t.gateway.url, "ann").then(
      () => true,
      () => false,
    ),
  );
});

test("frames that ask for nothing but work end the socket", async () => {
  const t = await start({ limits: { framesPerSecond: 0.01, framesBurst: 20 } });
  const socket = await opened(t.gateway.url, "ann");
  for (let i = 0; i < 40; i++) socket.send({ type: "ping" });
  expect(await socket.closed).toEqual({ code: 1008, reason: "too much garbage" });
  expect(socket.waiting.filter((type) => type === "pong")).toHaveLength(20);
  expect(socket.waiting.filter((type) => type === "error")).toHaveLength(10);
});

test("a bad token is an error like any other: the tenth ends the socket", async () => {
  const t = await start();
  const socket = await opened(t.gateway.url, "ann");
  for (let i = 0; i < 30; i++) socket.send({ type: "auth", token: `bad-${i}` });
  expect((await socket.closed).code).toBe(1008);
  expect(socket.waiting.filter((type) => type === "error")).toHaveLength(10);
});

test("a frame full of mistakes has one answer", async () => {
  const t = await start();
  const socket = await opened(t.gateway.url, "ann");
  socket.send({ type: "follow", orders: Array.from({ length: 100 }, () => ({ id: "garbage" })) });
  socket.send({ type: "ping" });
  await socket.next("pong");
  expect(socket.waiting).toEqual(["error"]);
});

test("orders followed are bounded by user, and others have their own", async () => {
  const t = await start({ limits: { followedPerUser: 3 } });
  const follow = (count: number) => ({
    type: "follow",
    orders: Array.from({ length: count }, () => ({ id: Bun.randomUUIDv7() })),
  });
  const [ann, again] = [await opened(t.gateway.url, "ann"), await opened(t.gateway.url, "ann")];
  const bob = await opened(t.gateway.url, "bob");
  ann.send(follow(3));
  ann.send({ type: "ping" });
  await ann.next("pong");
  for (const [socket, count, errors] of [
    [again, 1, 1],
    [bob, 3, 0],
  ] as const) {
    socket.send(follow(count));
    socket.send({ type: "ping" });
    await socket.next("pong");
    expect(socket.waiting).toEqual(Array(errors).fill("error"));
  }
});

test("however often a sale is subscribed to, its stock is looked at in one loop", async () => {
  const stock = {
    sku: "a",
    initial: 9,
    available: 9,
    releasing: 0,
    held: 0,
    sold: 0,
    restocked: 0,
  };
  let looks = 0;
  let most = 0;
  let now = 0;
  const feed = new StockFeed(realRuntime, async () => {
    looks++;
    most = Math.max(most, ++now);
    await Bun.sleep(5);
    now--;
    return [stock];
  });
  const told: string[] = [];
  const sockets = Array.from(
    { length: 50 },
    () =>
      ({
        watching: new Set<string>(),
        choked: false,
        send: (text: string) => told.push(text),
      }) as unknown as Socket,
  );
  const endsAtMs = realRuntime.monotonicMs() + 600;
  while (realRuntime.monotonicMs() < endsAtMs) {
    for (const socket of sockets) {
      feed.add(socket, "spring");
      feed.remove(socket, "spring");
      feed.add(socket, "spring");
    }
    await Bun.sleep(2);
  }
  feed.stop();
  expect(most).toBe(1);
  // Each look takes 5 ms at least, and the feed rests 95 ms after it.
  expect(looks).toBeWithin(1, 8);
  expect(told.length).toBeGreaterThanOrEqual(50);
});

test("the whole stock is sent as the same bytes, and only once while it is the same", async () => {
  const startedMs = performance.now();
  let asked = 0;
  const t = await start({
    stockOf: () => {
      asked++;
      return Bun.sleep(30).then(() => [
        { sku: "lamp", initial: 9, available: 9, releasing: 0, held: 0, sold: 0, restocked: 0 },
      ]);
    },
  });
  const url = `${t.gateway.url}/v1/sales/spring/stock`;
  const first = await fetch(url);
  const etag = first.headers.get("etag") ?? "";
  expect(await first.json()).toMatchObject({ saleId: "spring", items: [{ sku: "lamp" }] });
  const rest = await Promise.all(
    Array.from({ length: 50 }, () => fetch(url, { headers: { "if-none-match": etag } })),
  );
  expect(rest.map(({ status }) => status)).toEqual(Array(50).fill(304));
  for (let i = 0; i < 12; i++) {
    await fetch(url);
    await Bun.sleep(25);
  }
  // 30 ms to ask are worth half a second of rest.
  expect(asked).toBeLessThanOrEqual(2 + (performance.now() - startedMs) / 500);
  expect((await fetch(url, { headers: { "if-none-match": '"x"' } })).status).toBe(200);
});

test("a cancel of an order from the future is refused like the order", async () => {
  const t = await start();
  const id = "ffffffff-ffff-7fff-bfff-ffffffffffff";
  const url = `${t.gateway.url}/v1/orders/${id}`;
  const answer = await fetch(url, { method: "DELETE", headers: await bearer("ann") });
  expect([answer.status, await answer.json()]).toEqual([
    422,
    expect.objectContaining({ code: "future_id" }),
  ]);
  expect(t.broker.rows).toEqual([]);
});

test("a user who reads too often waits; services and other users do not", async () => {
  const t = await start({ limits: { reads: { perSecond: 0.01, burst: 11 } } });
  const url = `${t.gateway.url}/v1/orders`;
  const read = async (user: string, scope?: string) =>
    fetch(url, { headers: await bearer(user, scope === undefined ? {} : { scope }) });
  expect([(await read("ann")).status, (await read("ann")).status]).toEqual([200, 200]);
  const third = await read("ann");
  expect([third.status, await third.json()]).toEqual([
    429,
    expect.objectContaining({ code: "rate_limited", field: "user" }),
  ]);
  expect(Number(third.headers.get("retry-after"))).toBeWithin(1, 101);
  expect((await read("bob")).status).toBe(200);
  for (let i = 0; i < 5; i++) expect((await read("shop", "service")).status).toBe(200);
});

test("many orders in few characters are one mistake, over HTTP and on a socket", async () => {
  const t = await start();
  const orders = Array(500).fill(1);
  const detail = expect.stringContaining("500 orders do not fit in");
  const refused = { code: "out_of_range", field: "orders", detail };
  const answer = await post(`${t.gateway.url}/v1/orders/batch`, { orders }, await bearer("ann"));
  expect([answer.status, await answer.json()]).toEqual([422, expect.objectContaining(refused)]);
  const socket = await opened(t.gateway.url, "ann");
  socket.send({ type: "orders", ref: "1", orders });
  expect((await socket.next("error")).problem).toMatchObject(refused);
  // A few mistakes are answered one by one.
  socket.send({ type: "orders", ref: "2", orders: [1, 2, order()] });
  expect((await socket.next("nacks")).nacks).toHaveLength(2);
  await socket.next("acks");
});

test("what needs no token is bounded by address: bytes, and handshakes", async () => {
  const t = await start({
    limits: {
      publicBytes: { perSecond: 1, burst: 3 * 16 * 1024 },
      strangersHello: { perSecond: 0.01, burst: 2 },
    },
  });
  const { url } = t.gateway;
  const read = async (headers: Record<string, string> = {}) =>
    fetch(`${url}/v1/sales/spring`, { headers });
  const etag = (await read()).headers.get("etag") ?? "";
  expect([(await read()).status, (await read()).status]).toEqual([200, 200]);
  const refused = await read();
  expect([refused.status, await refused.json()]).toEqual([
    429,
    expect.objectContaining({ code: "rate_limited" }),
  ]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect((await read({ "if-none-match": etag })).status).toBe(304);

  await opened(url);
  await opened(url);
  expect(opened(url)).rejects.toThrow("refused");
  await opened(url, "ann");
});

test("a user who opens sockets over and over waits, however they show their token", async () => {
  const t = await start({ limits: { handshakes: { perSecond: 0.01, burst: 2 } } });
  const { url } = t.gateway;
  for (let i = 0; i < 2; i++) {
    const socket = await opened(url, "ann");
    socket.ws.close();
    await socket.closed;
  }
  expect(opened(url, "ann")).rejects.toThrow("refused");
  const late = await opened(url);
  late.send({ type: "auth", token: await token("ann") });
  expect((await late.next("error")).problem).toMatchObject({ code: "rate_limited" });
  expect((await late.closed).code).toBe(1008);
  await opened(url, "bob");
  for (let i = 0; i < 20; i++) await opened(url, "shop", "service");
  expect(opened(url, "shop", "service")).rejects.toThrow("refused");
});

test("frequent refusals are answered late, and nothing else is", async () => {
  const t = await start({ limits: { promptRefusals: { perSecond: 0.01, burst: 1 } } });
  const { url } = t.gateway;
  const bad = { authorization: "Bearer bad" };
  const handshake = {
    ...{ upgrade: "websocket", connection: "Upgrade" },
    ...{ "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" },
  };
  const timed = async (answer: Promise<Response>) => {
    const startedMs = realRuntime.monotonicMs();
    const { status } = await answer;
    return { status, ms: realRuntime.monotonicMs() - startedMs };
  };
  const first = await timed(fetch(`${url}/v1/orders`, { headers: bad }));
  expect(first.status).toBe(401);
  expect(first.ms).toBeLessThan(900);
  const late = [
    timed(fetch(`${url}/v1/orders`, { headers: bad })),
    timed(post(`${url}/v1/orders`, order(), bad)),
    timed(fetch(`${url}/v1/ws`, { headers: { ...handshake, ...bad } })),
    timed(fetch(`${url}/v1/ws`)),
  ];
  const prompt = [
    timed(post(`${url}/v1/orders`, order(), await bearer("ann"))),
    timed(fetch(`${url}/v1/sales/none`)),
  ];
  for (const [answers, [least, most]] of [
    [late, [1_000, 10_000]],
    [prompt, [0, 900]],
  ] as const)
    for (const { ms } of await Promise.all(answers)) expect(ms).toBeWithin(least, most);
  expect((await Promise.all(late)).map(({ status }) => status)).toEqual([401, 401, 401, 400]);
  expect((await Promise.all(prompt)).map(({ status }) => status)).toEqual([202, 404]);
  expect(t.gateway.report().lateRefusals).toBe(4);
});

test("refusals beyond those that may wait are answered at once", async () => {
  const t = await start({
    limits: { promptRefusals: { perSecond: 0.01, burst: 1 }, heldRefusals: 2 },
  });
  const answers = Array.from({ length: 6 }, () => fetch(`${t.gateway.url}/v1/orders`));
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(6).fill(401));
  expect(t.gateway.report().lateRefusals).toBe(2);
});

test("metrics on the clients' port are bounded by address, on their own they are not", async () => {
  const limits = { metricBytes: { perSecond: 1, burst: 128 * 1024 } };
  const statuses = async (url: string) => {
    const answers = Array.from({ length: 20 }, () => fetch(url));
    return new Set((await Promise.all(answers)).map(({ status }) => status));
  };
  expect(await statuses((await start({ limits })).gateway.metricsUrl)).toEqual(new Set([200, 429]));
  const apart = await start({ limits, metrics: { host: "127.0.0.1", port: 0 } });
  expect(await statuses(apart.gateway.metricsUrl)).toEqual(new Set([200]));
});
