// Users as identity providers name them: clients see the token's own text, rows have a plain name.
import { afterEach, expect, test } from "bun:test";
import { Bench, row } from "../../core/lua/testing.ts";
import { bearer, closeGateways, order, post, start, TestSocket } from "../testing.ts";

const SUBJECT = "auth0|5f7c8ec7c33c6c004bbafe82";
const NAME = "@auth0_7c5f7c8ec7c33c6c004bbafe82";

afterEach(closeGateways);

test("an order placed with such a token, or for it by a service, is that user's", async () => {
  const t = await start();
  const mine = order();
  const own = await post(`${t.gateway.url}/v1/orders`, mine, await bearer(SUBJECT));
  const service = await bearer("shop", { scope: "service" });
  const theirs = order({ user: SUBJECT });
  const named = await post(`${t.gateway.url}/v1/orders`, theirs, service);
  expect([own.status, named.status]).toEqual([202, 202]);
  expect(t.broker.rows).toMatchObject([
    { kind: "order", order: { user: NAME, id: mine.id } },
    { kind: "order", order: { user: NAME, id: theirs.id } },
  ]);
  for (const [headers, query] of [
    [await bearer(SUBJECT), ""],
    [await bearer(SUBJECT), `?user=${encodeURIComponent(SUBJECT)}`],
    [service, `?user=${encodeURIComponent(SUBJECT)}`],
  ] as const) {
    const got = await fetch(`${t.gateway.url}/v1/orders/${mine.id}${query}`, { headers });
    expect(await got.json()).toMatchObject({ user: SUBJECT, status: "accepted" });
  }
});

test("the plain name is not the user: a token with it is another's", async () => {
  const t = await start();
  const mine = order();
  await post(`${t.gateway.url}/v1/orders`, mine, await bearer(SUBJECT));
  const got = await fetch(`${t.gateway.url}/v1/orders/${mine.id}`, { headers: await bearer(NAME) });
  expect(got.status).toBe(404);
});

test("a socket is told the token's own text", async () => {
  const t = await start();
  const socket = await TestSocket.open(t.gateway.url);
  const { authorization } = await bearer(SUBJECT);
  socket.send({ type: "auth", token: authorization.slice("Bearer ".length) });
  expect(await socket.next("ready")).toMatchObject({ user: SUBJECT });
});

test("Redis decides orders of such a user", async () => {
  const bench = await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 1 } });
  expect(await bench.words(row(NAME, { a: 1 }), row("@@x_-", { a: 1 }))).toEqual([
    "reserved",
    "sold_out",
  ]);
  await bench.close();
});
