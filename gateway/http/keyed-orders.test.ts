// Orders with an Idempotency-Key: whatever the key is, it has one effect.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { LedgerUnavailable } from "../../ledger/db.ts";
import { readKey } from "../intake/order-keys.ts";
import { bearer, idIn, order, post, startTestGateway, type TestGateway } from "../testing.ts";

let one: TestGateway;
let two: TestGateway;
let ann: { authorization: string };
beforeAll(async () => {
  one = await startTestGateway();
  // Another gateway, in another region, on the same ledger.
  const { ledger } = one;
  two = await startTestGateway({ ledger, claimKeys: (...claims) => one.claimKeys(...claims) });
  ann = await bearer("ann");
});
afterAll(async () => {
  await two.close();
  await one.close();
});

const withoutId = (changes: Record<string, unknown> = {}) => order({ id: undefined, ...changes });

async function place(t: TestGateway, key: string, body: unknown = withoutId(), as = ann) {
  const response = await post(`${t.gateway.url}/v1/orders`, body, {
    ...as,
    "idempotency-key": key,
  });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, location: response.headers.get("location"), answer };
}

const idsOf = (t: TestGateway) => t.broker.rows.map(idIn);

test.each([
  ["a UUIDv4", crypto.randomUUID()],
  ["a UUIDv1", "c232ab00-9414-11ec-b3c8-9f6bdeced846"],
  ["a ULID", "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
  ["a token of 255 characters", "k".repeat(255)],
  ["a quoted text with a space", '"cart 17 \\"blue\\""'],
])("%s is the key of one order at every gateway", async (_, key) => {
  const first = await place(one, key);
  expect(first.status).toBe(202);
  const id = first.answer.id as string;
  expect(first.location).toBe(`/v1/orders/${id}`);
  const again = [await place(one, key), await place(two, key)];
  expect(again.map(({ status, answer }) => [status, answer.id])).toEqual([
    [202, id],
    [202, id],
  ]);
  expect(idsOf(two).at(-1)).toBe(id);
});

test("a UUIDv7 is the order's id: in capitals and in quotes as well", async () => {
  const id = Bun.randomUUIDv7();
  for (const key of [id, `"${id}"`, id.toUpperCase()])
    expect((await place(one, key)).answer.id).toBe(id);
  const stale = Bun.randomUUIDv7("hex", Date.now() - 3_600_000);
  expect(await place(one, stale)).toMatchObject({ status: 422, answer: { code: "stale_id" } });
});

test("a key counts for its user alone, and the same with and without quotes", async () => {
  const key = crypto.randomUUID();
  const { answer } = await place(one, key);
  expect((await place(one, `"${key}"`)).answer.id).toBe(answer.id as string);
  const bob = await place(one, key, withoutId(), await bearer("bob"));
  expect(bob.status).toBe(202);
  expect(bob.answer.id).not.toBe(answer.id as string);
});

test("another body under a key is 409 at once, at every gateway, and not published", async () => {
  const key = crypto.randomUUID();
  await place(one, key);
  const [before, elsewhere] = [one.broker.rows.length, two.broker.rows.length];
  for (const t of [one, two])
    expect(await place(t, key, withoutId({ currency: "USD" }))).toMatchObject({
      status: 409,
      answer: { code: "conflict", field: "Idempotency-Key" },
    });
  expect([one.broker.rows.length, two.broker.rows.length]).toEqual([before, elsewhere]);
});

test("a body's id and a key name one order from then on", async () => {
  const key = crypto.randomUUID();
  const placed = order();
  expect((await place(one, key, placed)).answer.id).toBe(placed.id as string);
  expect((await place(two, key, placed)).answer.id).toBe(placed.id as string);
  expect((await place(one, key)).answer.id).toBe(placed.id as string);
  expect(await place(one, key, order())).toMatchObject({ status: 409 });
});

test("an invalid order does not use its key up", async () => {
  const key = crypto.randomUUID();
  expect((await place(one, key, withoutId({ lines: [] }))).status).toBe(422);
  expect((await place(one, key)).status).toBe(202);
});

test("long after its key the order is still found, and never published again", async () => {
  const key = crypto.randomUUID();
  const { answer } = await place(one, key);
  let laterMs = 11 * 60_000;
  const late = await startTestGateway({
    clock: () => Date.now() + laterMs,
    claimKeys: (...claims) => one.claimKeys(...claims),
  });
  expect(await place(late, key)).toMatchObject({
    status: 422,
    answer: { code: "stale_id", field: "Idempotency-Key" },
  });
  late.ledger.order = (_user, id) => Promise.resolve({ id } as never);
  expect(await place(late, key)).toMatchObject({ status: 202, answer: { id: answer.id } });
  expect(late.broker.rows).toEqual([]);
  laterMs = 0;
  await place(late, key);
  expect(idsOf(late)).toEqual([answer.id]);
  await late.close();
});

test("while the ledger is away a key is 503 without effect, an id is accepted", async () => {
  const away = await startTestGateway({
    claimKeys: () => Promise.reject(new LedgerUnavailable("away")),
  });
  expect(await place(away, crypto.randomUUID())).toMatchObject({
    status: 503,
    answer: { code: "unavailable", field: "Idempotency-Key" },
  });
  expect(away.broker.rows).toEqual([]);
  expect((await place(away, Bun.randomUUIDv7())).status).toBe(202);
  await away.close();
});

test("what is no key names the header", async () => {
  for (const key of ["", "a b", "a,b", '"open', '""', "k".repeat(256)])
    expect(readKey(key)).toMatchObject({ code: "out_of_range", field: "Idempotency-Key" });
  expect(await place(one, "a, b")).toMatchObject({ status: 422 });
});

test("another body under an id is 409 at once at the gateway that accepted the first", async () => {
  const t = await startTestGateway();
  const url = `${t.gateway.url}/v1/orders`;
  const [placed, foreign] = [order(), order()];
  for (const body of [placed, foreign]) expect((await post(url, body, ann)).status).toBe(202);
  const tell = async (n: number, words: string) =>
    t.broker.tell({ batches: [[(await t.broker.batch(n)).batch, words]], released: [] });
  const conflict = async (body: object) => {
    const refused = await post(url, body, ann);
    return [refused.status, ((await refused.json()) as { code: string }).code];
  };
  const changed = { ...placed, currency: "USD" };
  expect(await conflict(changed)).toEqual([409, "conflict"]);
  await tell(0, "reserved");
  expect(await conflict(changed)).toEqual([409, "conflict"]);
  expect((await post(url, placed, ann)).status).toBe(202);
  // Another gateway had accepted another body before: the one accepted here is not the first.
  await tell(1, "!reserved");
  expect((await post(url, { ...foreign, currency: "USD" }, ann)).status).toBe(202);
  await t.close();
});
