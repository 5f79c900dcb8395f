// Each transition of an order that has been reserved: docs/architecture.md has the diagram.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { type Entry, isOrderStep } from "../domain/entry.ts";
import { newEntryId } from "../domain/entry-id.ts";
import type { Row } from "../domain/row.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { answer, Bench, bodyOf, cancel, row, WINDOW_MS } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 10, limit: 5 } });
});
afterAll(async () => bench?.close());

/** Decides rows in one message: the words, and the steps as [what, id, attempt]. */
async function decide(
  ...rows: Row[]
): Promise<{ words: string[]; steps: (readonly unknown[])[]; entry: Entry | undefined }> {
  const { outcomes, entry } = await bench.decide([rows]);
  const steps = (entry?.steps ?? []).map((s) =>
    isOrderStep(s) ? [s.what, s.id, s.attempt] : [s.what, "id" in s ? s.id : ""],
  );
  return { words: (outcomes[0] as string).split(","), steps, entry };
}

async function reserved(user = "u", units = 2): Promise<string> {
  const id = Bun.randomUUIDv7();
  expect((await decide(row(user, { a: units }, { id }))).words).toEqual(["reserved"]);
  return id;
}

/** The ledger has all there is. */
async function record(entry: Entry | undefined): Promise<void> {
  if (entry) await bench.shards.recorded(bench.claim, entry.id, entry.n);
}

const expire = async (cutoffMs: number) => {
  const reply = await bench.shards.expire(bench.claim, {
    entryId: newEntryId(realRuntime.randomBytes),
    cutoffMs,
    limit: 10,
    dedupWindowMs: WINDOW_MS,
  });
  if (reply.word !== "decided") throw new Error(reply.word);
  return reply.entry;
};

test("reserved → paid: held units are sold", async () => {
  const id = await reserved();
  const { words, steps } = await decide(answer("u", id, 1, "captured"));
  expect([words, steps]).toEqual([["+paid"], [["paid", id, 1]]]);
  expect(await bench.live("a")).toMatchObject({ available: 8, held: 0, sold: 2, releasing: 0 });
});

test("a charge fails three times and succeeds at the last retry", async () => {
  const id = await reserved();
  for (const attempt of [1, 2, 3]) {
    const { words, steps } = await decide(answer("u", id, attempt, "failed", "declined"));
    expect(words).toEqual(["+retry"]);
    expect(steps).toEqual([
      ["charge_failed", id, attempt],
      ["start", id, attempt + 1],
    ]);
  }
  expect((await decide(answer("u", id, 4, "captured"))).words).toEqual(["+paid"]);
});

test("reserved → payment_failed after three retries; its units return", async () => {
  const id = await reserved();
  for (const attempt of [1, 2, 3]) await decide(answer("u", id, attempt, "failed"));
  const { words, steps, entry } = await decide(answer("u", id, 4, "failed"));
  expect([words, steps]).toEqual([["+payment_failed"], [["payment_failed", id, 4]]]);
  expect(await bench.live("a")).toMatchObject({ available: 8, releasing: 2, held: 0 });
  await record(entry);
  expect(await bench.live("a")).toMatchObject({ available: 10, releasing: 0, held: 0 });
  // The limit per user counts what he holds, not what he tried.
  await reserved("u", 5);
});

test("repeated and late answers, and those out of order, are late and change nothing", async () => {
  const id = await reserved();
  expect((await decide(answer("u", id, 2, "captured"))).words).toEqual(["+late"]);
  await decide(answer("u", id, 1, "failed"));
  expect(
    (await decide(answer("u", id, 1, "failed"), answer("u", id, 1, "captured"))).words,
  ).toEqual(["+late", "+late"]);
  await decide(answer("u", id, 2, "captured"));
  const { words, steps } = await decide(
    answer("u", id, 2, "captured"),
    answer("u", id, 2, "failed"),
  );
  expect([words, steps]).toEqual([["+late", "+late"], []]);
  expect(await bench.live("a")).toMatchObject({ available: 8, held: 0, sold: 2 });
  expect((await decide(answer("stranger", Bun.randomUUIDv7(), 1, "captured"))).words).toEqual([
    "+late",
  ]);
});

test("a user's charges run one at a time in order; another user's do not wait", async () => {
  const ids = [await reserved(), Bun.randomUUIDv7()];
  const [first, second] = ids as [string, string];
  const { words, steps } = await decide(row("u", { a: 1 }, { id: second }), row("v", { a: 1 }));
  expect([words, steps]).toEqual([["reserved", "reserved"], [["wait", second]]]);
  expect((await decide(answer("u", first, 1, "failed"))).steps).toEqual([
    ["charge_failed", first, 1],
    ["start", first, 2],
  ]);
  expect((await decide(answer("u", first, 2, "captured"))).steps).toEqual([
    ["paid", first, 2],
    ["start", second, 1],
  ]);
});

test("reserved → cancelled before its charge: the next charge starts", async () => {
  const first = await reserved();
  const second = await reserved();
  const third = await reserved("u", 1);
  const { words, steps, entry } = await decide(cancel("u", second));
  expect([words, steps]).toEqual([["+cancelled"], [["cancelled", second, 0]]]);
  await record(entry);
  expect(await bench.live("a")).toMatchObject({ available: 7, held: 3 });
  expect((await decide(answer("u", first, 1, "captured"))).steps).toEqual([
    ["paid", first, 1],
    ["start", third, 1],
  ]);
});

test("reserved → cancelled during its charge: a capture is refunded", async () => {
  const first = await reserved();
  const second = await reserved("u", 1);
  expect((await decide(cancel("u", first))).steps).toEqual([["cancelled", first, 1]]);
  expect((await decide(cancel("u", first))).words).toEqual(["=cancelled"]);
  const landed = await decide(answer("u", first, 1, "captured"));
  expect(landed.words).toEqual(["+cancelled"]);
  expect(landed.steps).toEqual([
    ["refund", first, 1],
    ["start", second, 1],
  ]);
  expect((await decide(answer("u", first, 1, "captured"))).words).toEqual(["+late"]);
});

test("a charge that fails after the cancel leaves nothing to refund", async () => {
  const id = await reserved();
  await decide(cancel("u", id));
  expect((await decide(answer("u", id, 1, "failed"))).steps).toEqual([["charge_failed", id, 1]]);
  expect((await decide(answer("u", id, 1, "failed"))).words).toEqual(["+late"]);
});

test("paid → cancelled within two minutes: refunded, the units come back", async () => {
  const id = await reserved();
  await decide(answer("u", id, 1, "captured"));
  const { words, steps, entry } = await decide(cancel("u", id, 110_000));
  expect(words).toEqual(["+cancelled"]);
  expect(steps).toEqual([
    ["cancelled", id, 1],
    ["refund", id, 1],
  ]);
  expect(await bench.live("a")).toMatchObject({ available: 8, releasing: 2, sold: 0 });
  await record(entry);
  expect(await bench.live("a")).toMatchObject({ available: 10, releasing: 0, sold: 0 });
  expect((await decide(cancel("u", id))).words).toEqual(["=cancelled"]);
});

test("two minutes after it was accepted an order cannot be cancelled", async () => {
  const id = await reserved();
  expect((await decide(cancel("u", id, 121_000))).words).toEqual(["-too_late"]);
  expect(await bench.live("a")).toMatchObject({ available: 8, held: 2 });
});

test("unseen → cancelled on arrival: no stock is touched, and later numbers continue", async () => {
  const id = Bun.randomUUIDv7();
  expect((await decide(cancel("u", id))).words).toEqual(["+cancel_pending"]);
  const late = row("u", { a: 1 }, { id, seq: 1 });
  const { words } = await decide(row("u", { a: 1 }, { seq: 2 }), late, late);
  expect(words).toEqual(["parked", "cancelled", "=cancelled"]);
  expect(await bench.live("a")).toMatchObject({ available: 9, held: 1 });
});

test("parked → cancelled when its number comes", async () => {
  const id = Bun.randomUUIDv7();
  const early = await decide(row("u", { a: 1 }, { id, seq: 2 }));
  expect(early.words).toEqual(["parked"]);
  expect((await decide(cancel("u", id))).words).toEqual(["+cancel_pending"]);
  const { entry } = await decide(row("u", { a: 1 }, { seq: 1 }));
  expect(entry?.released.map(({ order, state }) => [order.id, state])).toEqual([[id, "cancelled"]]);
});

test("another user's cancel of the same id concerns another order", async () => {
  const id = await reserved();
  expect((await decide(cancel("v", id))).words).toEqual(["+cancel_pending"]);
  expect(await bench.live("a")).toMatchObject({ held: 2 });
});

test("a finished order cannot be cancelled, and the answer says what it is", async () => {
  const id = Bun.randomUUIDv7();
  await decide(row("u", { a: 1, nothing: 1 }, { id }));
  expect((await decide(cancel("u", id))).words).toEqual(["-unknown_item"]);
});

test("a user may leave 64 early cancels and no more", async () => {
  const marks = Array.from({ length: 65 }, () => cancel("u", Bun.randomUUIDv7()));
  const words: string[] = [];
  for (const mark of marks) words.push(...(await decide(mark)).words);
  expect(words).toEqual([...Array(64).fill("+cancel_pending"), "-too_many"]);
});

test("reserved → expired if its charge never started; an order being charged stays", async () => {
  const charged = await reserved();
  const waits = await reserved();
  const entry = await expire(Date.now() + 1_000);
  expect(entry?.steps).toMatchObject([{ what: "expired", id: waits }]);
  await record(entry);
  expect(await bench.live("a")).toMatchObject({ available: 8, held: 2 });
  expect((await decide(cancel("u", waits))).words).toEqual(["-expired"]);
  expect((await decide(answer("u", charged, 1, "captured"))).steps).toEqual([["paid", charged, 1]]);
});

test("a hold that is young enough is kept", async () => {
  await reserved();
  await reserved();
  expect(await expire(Date.now() - 60_000)).toBeUndefined();
});

test("a row with a nonsensical answer is refused as a whole, and nothing is written", async () => {
  const id = await reserved();
  const good = answer("u", id, 1, "captured");
  const bad = bodyOf(good, { answer: ["maybe"] });
  await expect(bench.decide([[good], bad])).rejects.toThrow("not sound: answer");
  expect(await bench.live("a")).toMatchObject({ held: 2, sold: 0 });
});
