// Orders tried again after their payment failed: once for each generation that the ledger grants,
// judged again.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { isOrderStep } from "../domain/entry.ts";
import type { OrderRow, Row } from "../domain/row.ts";
import { answer, Bench, cancel, part, redrive, row } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 3, limit: 2 } });
});
afterAll(async () => bench?.close());

async function decide(...rows: Row[]): Promise<{ words: string[]; steps: (readonly unknown[])[] }> {
  const { outcomes, entry } = await bench.decide([rows]);
  if (entry) await bench.shards.recorded(bench.claim, entry.id, entry.n);
  const steps = (entry?.steps ?? []).map((s) =>
    isOrderStep(s)
      ? [s.what, s.id, s.generation, s.attempt, s.detail]
      : [s.what, "id" in s ? s.id : ""],
  );
  return { words: (outcomes[0] as string).split(","), steps };
}

/** An order whose payment failed four times in a generation. */
async function failed(user = "u", seq = 0): Promise<{ id: string; text: OrderRow }> {
  const id = Bun.randomUUIDv7();
  const text = row(user, { a: 2 }, { id, seq });
  expect((await decide(text)).words).toEqual(["reserved"]);
  for (const attempt of [1, 2, 3, 4]) await decide(answer(user, id, attempt, "failed"));
  return { id, text };
}

test("payment_failed → reserved in the next generation, charged with its keys, paid", async () => {
  const { id, text } = await failed();
  expect(await decide(redrive(text, 2))).toEqual({
    words: ["+reserved"],
    steps: [["redriven", id, 2, 1, "reserved"]],
  });
  expect(await bench.units("a")).toEqual({ available: 1, held: 2 });
  expect((await decide(answer("u", id, 1, "captured", "", 1))).words).toEqual(["+late"]);
  expect((await decide(answer("u", id, 1, "captured", "", 2))).words).toEqual(["+paid"]);
  expect((await decide(text)).words).toEqual(["=paid"]);
});

test("a generation is accepted once, however often it arrives and however it ended", async () => {
  const { id, text } = await failed();
  expect((await decide(redrive(text, 2), redrive(text, 2))).words).toEqual([
    "+reserved",
    "=reserved",
  ]);
  for (const attempt of [1, 2, 3, 4]) await decide(answer("u", id, attempt, "failed", "", 2));
  expect((await decide(redrive(text, 2))).words).toEqual(["=payment_failed"]);
  expect((await decide(redrive(text, 3))).words).toEqual(["+reserved"]);
  expect(await bench.units("a")).toEqual({ available: 1, held: 2 });
});

test("stock and limit are checked again; a refused order may be redriven again", async () => {
  const { text } = await failed();
  await decide(row("other", { a: 2 }));
  expect((await decide(redrive(text, 2))).words).toEqual(["+sold_out"]);
  expect((await decide(text)).words).toEqual(["=sold_out"]);
  const second = await failed("v").catch(() => undefined);
  expect(second).toBeUndefined();
});

test("an order that is open, or ended in another way, is not redriven", async () => {
  const id = Bun.randomUUIDv7();
  const text = row("u", { a: 1 }, { id });
  expect((await decide(redrive(text, 2))).words).toEqual(["-unknown"]);
  await decide(text);
  expect((await decide(redrive(text, 2))).words).toEqual(["-reserved"]);
  await decide(answer("u", id, 1, "captured"), part("u", id, "claim"), part("u", id, "done"));
  expect((await decide(redrive(text, 2))).words).toEqual(["-dispatched"]);
});

test("an order that Redis has forgotten is redriven: the ledger has granted it", async () => {
  const { id, text } = await failed();
  for (const key of await bench.redis.client.keys("{0}:seen:*")) await bench.redis.client.del(key);
  const old = { ...text, order: { ...text.order, id: "0".repeat(8) + id.slice(8) } };
  expect((await decide(redrive(old, 2))).words).toEqual(["+reserved"]);
  expect((await decide(redrive(old, 2))).words).toEqual(["=reserved"]);
});

test("a redriven order's number stays used up, and later numbers continue", async () => {
  const { text } = await failed("u", 1);
  await decide(row("u", { a: 1 }, { seq: 2 }));
  expect((await decide(redrive(text, 2))).words).toEqual(["+over_limit"]);
  expect((await decide(row("u", { a: 1 }, { seq: 3 }))).words).toEqual(["reserved"]);
});

test("a redriven order waits in its user's lane like any other", async () => {
  const { id, text } = await failed();
  await bench.sale({ a: { units: 3, limit: 0 } }, undefined, 2);
  const other = Bun.randomUUIDv7();
  await decide(row("u", { a: 1 }, { id: other }));
  expect((await decide(redrive(text, 2))).steps).toEqual([
    ["wait", id],
    ["redriven", id, 2, 0, "reserved"],
  ]);
  expect((await decide(answer("u", other, 1, "captured"))).steps).toEqual([
    ["paid", other, 1, 1, ""],
    ["start", id, 2, 1, ""],
  ]);
});

test("two minutes after acceptance an order cannot be cancelled, redriven or not", async () => {
  const id = Bun.randomUUIDv7();
  const text = row("u", { a: 1 }, { id, at: Date.now() - 120_001 });
  await decide(text);
  for (const attempt of [1, 2, 3, 4]) await decide(answer("u", id, attempt, "failed"));
  expect((await decide(redrive(text, 2), cancel("u", id))).words).toEqual([
    "+reserved",
    "-too_late",
  ]);
});

test("a charge that stays unknown for too long gives the order up at once", async () => {
  const id = Bun.randomUUIDv7();
  await decide(row("u", { a: 2 }, { id }));
  const { words, steps } = await decide(answer("u", id, 1, "unknown", "unknown for too long"));
  expect([words, steps]).toEqual([
    ["+payment_failed"],
    [
      ["given_up", id, 1, 1, "unknown for too long"],
      ["payment_failed", id, 1, 1, "unknown for too long"],
    ],
  ]);
  expect(await bench.units("a")).toEqual({ available: 3, held: 0 });
  expect((await decide(answer("u", id, 1, "captured"))).words).toEqual(["+late"]);
});

test("a row without a valid generation is refused", async () => {
  const { text } = await failed();
  for (const generation of [1, 0, 1.5, -2])
    expect(bench.decide([[redrive(text, generation)]])).rejects.toThrow("not sound");
});
