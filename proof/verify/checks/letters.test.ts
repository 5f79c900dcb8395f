// I9: dead letters, failures, and what the operator did about them.
import { afterAll, expect, test } from "bun:test";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { openLedger } from "../../../ledger/open.ts";
import { closeWorlds, emptyWorld, foundAfter, foundIn, trueStory } from "../test-story.ts";
import { body, row, type World } from "../world.ts";

afterAll(closeWorlds);

const UNDECIDED = "the order could not be decided";

/** Eve's order could not be decided. */
async function rejected(): Promise<{ world: World; id: string }> {
  const { world } = await trueStory();
  const id = world.id();
  world.sent("eve", id, body("mug", 1), { at: 500 });
  await world.entry([row("eve", id, body("mug", 1))], "rejected");
  await world.sql("UPDATE follow_ups SET done = 1");
  return { world, id };
}

async function dealtWith(world: World, id: string, fate: "dropped" | "redriven", generation = 0) {
  const ledger = await openLedger({ runtime: realRuntime, url: world.url, shards: 1 });
  const reason = generation > 0 ? "payment_failed" : UNDECIDED;
  const about = { queue: "orders.dead", reason, user: "eve", id, generation };
  const by = { subject: "olga", atMs: 1, body: "{}", letter: "0badcafe", region: "eu" };
  await ledger.recordLetter({ ...about, ...by, fate });
  await ledger.close();
}

test("a letter stored twice because its confirm was lost counts once", async () => {
  const { world, id } = await rejected();
  world.letter("orders.dead", "eve", id, UNDECIDED);
  world.letter("orders.dead", "eve", id, UNDECIDED);
  expect(await world.verify()).toMatchObject({ result: "pass", violations: [], known: [] });
});

test("a failure without a letter is found, unless the letter's drop is on record", async () => {
  const { world, id } = await rejected();
  expect(await foundIn(world)).toEqual(["I9 a failure has no dead letter"]);
  await dealtWith(world, id, "dropped");
  const verdict = await world.verify();
  expect(verdict).toMatchObject({ result: "pass", violations: [] });
  expect(verdict.known.map((k) => k.what)).toEqual([
    "failures whose dead letter an operator handled",
  ]);
});

test("an order that was redriven and failed again must have left another letter", async () => {
  const world = await emptyWorld();
  const id = world.id();
  await world.entry([row("eve", id, body("mug", 1))], "reserved");
  for (const attempt of [1, 2, 3]) {
    await world.happened("charge_failed", ["eve", id], ["mug", 1], { attempt });
    await world.happened("start", ["eve", id], ["mug", 1], { attempt: attempt + 1 });
  }
  await world.happened("payment_failed", ["eve", id], ["mug", 1], { attempt: 4 });
  await world.sql("UPDATE follow_ups SET done = 1");
  await dealtWith(world, id, "redriven", 1);
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE letters SET generation = 0");
  expect(await foundIn(world)).toEqual(["I9 a failure has no dead letter"]);
});

test("a letter about an order that never failed is found", async () => {
  const found = await foundAfter(({ world, ann }) =>
    world.letter("orders.dead", "ann", ann, UNDECIDED),
  );
  expect(found).toEqual(["I9 a dead letter reports a failure that did not happen"]);
});

test("a letter that names no order is listed, and no violation", async () => {
  const { world } = await trueStory();
  world.letter("orders.dead", "", "", "not a JSON array of orders", "0badcafe");
  const verdict = await world.verify();
  expect(verdict.violations).toEqual([]);
  expect(verdict.known).toEqual([
    {
      what: "dead letters that report no failure of an order",
      count: 1,
      examples: ["not a JSON array of orders"],
    },
  ]);
});

test.each([
  ["refund_failed", "refund_failed"],
  ["unresolved", "charge_unresolved"],
])("a charge that is %s has its letter", async (status, reason) => {
  const { world, ann } = await trueStory();
  await world.sql(`UPDATE charges SET status = '${status}' WHERE usr = 'ann' AND id = '${ann}'`);
  expect(await foundIn(world)).toContain("I9 a failure has no dead letter");
  world.letter("payments.dead", "ann", ann, reason);
  expect((await foundIn(world)).filter((what) => what.startsWith("I9"))).toEqual([]);
});
