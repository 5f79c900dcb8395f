// Mistakes a client may make over a WebSocket, and their answers.
import { afterEach, expect, test } from "bun:test";
import { bearer, closeGateways, order, start, TestSocket, token } from "../testing.ts";

afterEach(closeGateways);

test("a bad token, none in the first frame, or none in time closes the socket", async () => {
  const t = await start({ limits: { authenticateWithinMs: 100 } });
  const bad = await TestSocket.open(t.gateway.url);
  bad.send({ type: "auth", token: "rubbish" });
  expect((await bad.next("error")).problem).toMatchObject({ code: "bad_token", field: "token" });
  expect((await bad.closed).code).toBe(1008);
  const none = await TestSocket.open(t.gateway.url);
  none.send({ type: "order", ref: "1", order: order() });
  expect((await none.next("error")).problem).toMatchObject({ code: "no_token" });
  expect((await none.closed).code).toBe(1008);
  const silent = await TestSocket.open(t.gateway.url);
  expect((await silent.closed).code).toBe(1008);
  expect(TestSocket.open(t.gateway.url, "ann", { expiresInS: -5 })).rejects.toThrow("refused");
  expect(t.broker.rows).toEqual([]);
});

test("a token that expires while the socket is open is noticed by the next order", async () => {
  let aheadMs = 0;
  const t = await start({ clock: () => Date.now() + aheadMs });
  const socket = await TestSocket.open(t.gateway.url, "ann", { expiresInS: 60 });
  aheadMs = 61_000;
  socket.send({ type: "order", ref: "1", order: order() });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["1", expect.any(String), expect.objectContaining({ code: "token_expired", status: 401 })],
  ]);
});

test("orders beyond the credit are nacked 429 without effect; answers return credit", async () => {
  const t = await start({ limits: { credit: 2 } });
  t.broker.answer = undefined;
  const socket = await TestSocket.open(t.gateway.url, "ann");
  socket.send({ type: "orders", ref: "r", orders: [order(), order(), order()] });
  expect((await socket.next("nacks")).nacks).toEqual([
    ["r", expect.any(String), expect.objectContaining({ code: "credit", status: 429 })],
  ]);
  const batch = await t.broker.batch(0);
  expect(batch.rows.length).toBe(2);
  batch.settle("confirmed");
  await socket.next("acks");
  socket.send({ type: "orders", ref: "r", orders: [order(), order()] });
  (await t.broker.batch(1)).settle("confirmed");
  expect((await socket.next("acks")).acks).toHaveLength(2);
});

test("garbage gets an error that names it; repeated garbage closes the socket", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const cases: [unknown, string, string?][] = [
    ["{", "malformed"],
    ["[]", "not_an_object"],
    [{}, "missing_field", "type"],
    [{ type: "toString" }, "out_of_range", "type"],
    [{ type: "order", ref: "1", order: {}, extra: 1 }, "unknown_field", "extra"],
    [{ type: "order", order: order() }, "missing_field", "ref"],
    [{ type: "order", ref: "x".repeat(65), order: order() }, "out_of_range", "ref"],
    ['{"type":"ping","type":"order"}', "duplicate_key", "type"],
    [{ type: "orders", ref: "1", orders: [] }, "out_of_range", "orders"],
    [{ type: "auth", token: 1 }, "wrong_type", "token"],
  ];
  for (const [frame, code, field] of cases) {
    socket.send(frame);
    const { problem } = (await socket.next("error")) as unknown as {
      problem: Record<string, unknown>;
    };
    expect([problem.code, problem.field]).toEqual([code, field]);
  }
  expect((await socket.closed).code).toBe(1008);
  expect(t.broker.rows).toEqual([]);
});

test("a binary frame is garbage, an oversize one closes the socket", async () => {
  const t = await start();
  const binary = await TestSocket.open(t.gateway.url, "ann");
  binary.ws.send(new Uint8Array([1, 2, 3]));
  expect((await binary.next("error")).problem).toMatchObject({ code: "wrong_type" });
  const large = await TestSocket.open(t.gateway.url, "ann");
  large.send("x".repeat(64 * 1024 + 1));
  expect((await large.closed).code).toBe(1009);
});

test("a foreign page is refused; the gateway's own and allowed ones are not", async () => {
  const t = await start({ origins: ["https://shop.example"] });
  const headers = {
    ...(await bearer("ann")),
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  };
  const from = (origin: string) =>
    fetch(`${t.gateway.url}/v1/ws`, { headers: { ...headers, origin } });
  const refused = await from("https://evil.example");
  expect([refused.status, await refused.json()]).toEqual([
    403,
    expect.objectContaining({ code: "foreign_origin" }),
  ]);
  const open = (origin: string) =>
    new Promise<string>((resolve) => {
      const ws = new WebSocket(`${t.gateway.url.replace("http", "ws")}/v1/ws`, {
        headers: { origin },
      } as unknown as string[]);
      ws.onopen = () => resolve("open");
      ws.onerror = () => resolve("refused");
    });
  expect(await open("https://shop.example")).toBe("open");
  expect(await open(t.gateway.url)).toBe("open");
  expect(await open("null")).toBe("refused");
});

test("a plain request to the socket's path is 400", async () => {
  const t = await start();
  const response = await fetch(`${t.gateway.url}/v1/ws`);
  expect([response.status, await response.json()]).toEqual([
    400,
    expect.objectContaining({ field: "Upgrade" }),
  ]);
});

test("a socket ends with its token, unless a newer one renewed it", async () => {
  const t = await start();
  const [ends, renewed] = [
    await TestSocket.open(t.gateway.url, "ann", { expiresInS: 2 }),
    await TestSocket.open(t.gateway.url, "bob", { expiresInS: 2 }),
  ];
  ends.send({ type: "subscribe", saleId: "spring" });
  renewed.send({ type: "auth", token: await token("bob", { expiresInS: 60 }) });
  await renewed.next("ready");
  expect(await ends.closed).toEqual({ code: 1008, reason: "token_expired" });
  expect((await ends.next("error")).problem).toMatchObject({ code: "token_expired" });
  renewed.send({ type: "ping" });
  await renewed.next("pong");
});
