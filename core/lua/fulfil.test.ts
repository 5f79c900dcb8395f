// Each transition of a paid order, and each interleaving of a claim with what may come before and
// after it.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { isOrderStep } from "../domain/entry.ts";
import type { Row } from "../domain/row.ts";
import { answer, Bench, bodyOf, cancel, part, row } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 10 } });
});
afterAll(async () => bench?.close());

async function decide(...rows: Row[]): Promise<{ words: string[]; steps: (readonly unknown[])[] }> {
  const { outcomes, entry } = await bench.decide([rows]);
  const steps = (entry?.steps ?? []).map((s) =>
    isOrderStep(s) ? [s.what, s.id, s.detail] : [s.what, "id" in s ? s.id : ""],
  );
  return { words: (outcomes[0] as string).split(","), steps };
}

async function reserved(): Promise<string> {
  const id = Bun.randomUUIDv7();
  expect((await decide(row("u", { a: 2 }, { id }))).words).toEqual(["reserved"]);
  return id;
}

async function paid(): Promise<string> {
  const id = await reserved();
  expect((await decide(answer("u", id, 1, "captured"))).words).toEqual(["+paid"]);
  return id;
}

test("paid → claimed → dispatched: the order is closed", async () => {
  const id = await paid();
  expect(await decide(part("u", id, "claim"))).toEqual({
    words: ["+claimed"],
    steps: [["claimed", id, "1 1 depot"]],
  });
  expect(await decide(part("u", id, "done"))).toEqual({
    words: ["+dispatched"],
    steps: [
      ["done", id, "1 1 depot"],
      ["dispatched", id, ""],
    ],
  });
  expect(await bench.live("a")).toMatchObject({ available: 8, held: 0, sold: 2 });
  expect(await bench.redis.client.hlen("{0}:open")).toBe(0);
  expect(await bench.words(row("u", { a: 2 }, { id }))).toEqual(["=dispatched"]);
});

test("an order is dispatched when its last part is done, in whatever order", async () => {
  const id = await paid();
  expect(
    (await decide(part("u", id, "claim", "east", 1, 2), part("u", id, "claim", "west", 2, 2)))
      .words,
  ).toEqual(["+claimed", "+claimed"]);
  expect((await decide(part("u", id, "done", "west", 2, 2))).words).toEqual(["+done"]);
  expect((await decide(part("u", id, "done", "east", 1, 2))).words).toEqual(["+dispatched"]);
});

test("repeated claims and reports change nothing", async () => {
  const id = await paid();
  await decide(part("u", id, "claim", "depot", 1, 2));
  expect(await decide(part("u", id, "claim", "depot", 1, 2))).toEqual({
    words: ["=claimed"],
    steps: [],
  });
  await decide(part("u", id, "done", "depot", 1, 2));
  expect(
    (await decide(part("u", id, "done", "depot", 1, 2), part("u", id, "claim", "depot", 1, 2)))
      .words,
  ).toEqual(["=done", "=done"]);
  await decide(part("u", id, "claim", "depot", 2, 2), part("u", id, "done", "depot", 2, 2));
  expect(
    await decide(part("u", id, "done", "depot", 2, 2), part("u", id, "claim", "depot", 1, 2)),
  ).toEqual({
    words: ["=dispatched", "-dispatched"],
    steps: [],
  });
});

test("a part belongs to the service that claimed it first", async () => {
  const id = await paid();
  await decide(part("u", id, "claim", "depot"));
  expect(
    (await decide(part("u", id, "claim", "other"), part("u", id, "done", "other"))).words,
  ).toEqual(["-taken", "-unclaimed"]);
  expect((await decide(part("u", id, "done", "depot"))).words).toEqual(["+dispatched"]);
});

test("an unpaid order cannot be claimed, nor one whose charge failed", async () => {
  const unknown = Bun.randomUUIDv7();
  expect((await decide(part("u", unknown, "claim"))).words).toEqual(["-gone"]);
  const id = await reserved();
  expect((await decide(part("u", id, "claim"))).words).toEqual(["-reserved"]);
  for (const attempt of [1, 2, 3, 4]) await decide(answer("u", id, attempt, "failed"));
  expect((await decide(part("u", id, "claim"))).words).toEqual(["-payment_failed"]);
});

test("a part that does not belong to the order is refused", async () => {
  const id = await paid();
  await decide(part("u", id, "claim", "depot", 1, 2));
  expect((await decide(part("u", id, "claim", "depot", 2, 3))).words).toEqual(["-not_a_part"]);
  for (const wrong of [
    { part: [2] },
    { report: ["work"] },
    { service: ["a b"] },
    { service: ["a;b"] },
    { service: ["x".repeat(65)] },
    { request: [1] },
  ])
    expect(bench.decide([bodyOf(part("u", id, "claim"), wrong)])).rejects.toThrow("not sound");
});

// A cancel and a claim exclude each other: whichever the shard sees first.
test("claim, then cancel: too late, the money stays", async () => {
  const id = await paid();
  expect(await decide(part("u", id, "claim"), cancel("u", id))).toEqual({
    words: ["+claimed", "-claimed"],
    steps: [["claimed", id, "1 1 depot"]],
  });
  expect((await decide(part("u", id, "done"), cancel("u", id))).words).toEqual([
    "+dispatched",
    "-dispatched",
  ]);
});

test("cancel, then claim: nothing is worked on, the money goes back", async () => {
  const id = await paid();
  expect(
    (await decide(cancel("u", id), part("u", id, "claim"), part("u", id, "done"))).words,
  ).toEqual(["+cancelled", "-cancelled", "-cancelled"]);
});

test("a cancel during the charge, the capture, then a claim: refunded, not fulfilled", async () => {
  const id = await reserved();
  expect(
    (
      await decide(
        cancel("u", id),
        part("u", id, "claim"),
        answer("u", id, 1, "captured"),
        part("u", id, "claim"),
      )
    ).words,
  ).toEqual(["+cancelled", "-cancelled", "+cancelled", "-cancelled"]);
});

test("one of several parts claimed: the whole order can no longer be cancelled", async () => {
  const id = await paid();
  await decide(part("u", id, "claim", "depot", 2, 2));
  expect((await decide(cancel("u", id))).words).toEqual(["-claimed"]);
});

test("a late answer of the provider to a claimed order changes nothing", async () => {
  const id = await paid();
  await decide(part("u", id, "claim"));
  expect(await decide(answer("u", id, 1, "captured"), answer("u", id, 1, "failed"))).toEqual({
    words: ["+late", "+late"],
    steps: [],
  });
  expect((await decide(part("u", id, "done"))).words).toEqual(["+dispatched"]);
});
