// X11 at the gate: orders that a gateway refuses as sold out on its own.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, emptyWorld, foundIn } from "../test-story.ts";
import { body, row, START_MS, type World } from "../world.ts";

afterAll(closeWorlds);

const WRONG = "I5 an order was refused at the gate as sold out though there was stock throughout";

/** All mugs are taken and come back five seconds later. */
async function soldOutFor5s(): Promise<World> {
  const world = await emptyWorld();
  const [all, one] = [world.id(), world.id()];
  world.sent("ann", all, body("mug", 5), { at: START_MS - 10 });
  world.sent("ann", one, body("cap", 1), { at: START_MS - 9_000 });
  world.atMs = START_MS - 5_000;
  await world.entry([row("ann", one, body("cap", 1))], "reserved");
  world.atMs = START_MS;
  await world.entry([row("ann", all, body("mug", 5))], "reserved");
  world.atMs += 5_000;
  await world.happened("cancelled", ["ann", all], ["mug", 5], { detail: "held" });
  return world;
}

/** Ben orders then and is refused. */
function refusedSoldOut(world: World, afterMs: number, sku = "mug", seq = 0): void {
  const told = { at: START_MS + afterMs, result: "fail", status: 409, code: "sold_out" } as const;
  world.sent("ben", world.id(), body(sku, 1, seq), told);
}

test("refusing an item that was gone during the call, or just before, is right", async () => {
  const world = await soldOutFor5s();
  for (const afterMs of [0, 2_500, 5_000, 6_500]) refusedSoldOut(world, afterMs);
  expect(await foundIn(world)).not.toContain(WRONG);
});

test.each([
  ["long before it was gone", "mug", -3_000],
  ["long after it came back", "mug", 8_000],
  ["of another item", "cap", 2_500],
])("wrongly refused: %s", async (_, sku, afterMs) => {
  const world = await soldOutFor5s();
  refusedSoldOut(world, afterMs, sku);
  expect(await foundIn(world)).toContain(WRONG);
});

test("another body under an id that is taken is a conflict, and nothing else is", async () => {
  const refused = { result: "fail", status: 409, code: "conflict" } as const;
  const world = await soldOutFor5s();
  const id = world.id();
  world.sent("ben", id, body("cap", 1), { at: START_MS });
  await world.entry([row("ben", id, body("cap", 1))], "reserved");
  world.sent("ben", id, body("cap", 2), { at: START_MS + 100, ...refused });
  const wrong = "I3 an order was refused as a conflict though no other body was sent under its id";
  expect(await foundIn(world)).not.toContain(wrong);
  expect(await foundIn(world)).not.toContain(WRONG);
  world.sent("ben", id, body("cap", 1), { at: START_MS + 200, ...refused });
  expect(await foundIn(world)).toContain(wrong);
});

test("an order of two items may be refused for either", async () => {
  const world = await soldOutFor5s();
  const both = { ...body("cap", 1), lines: [...body("cap", 1).lines, ...body("mug", 1).lines] };
  const told = { at: START_MS + 1_000, result: "fail", status: 409, code: "sold_out" } as const;
  world.sent("ben", world.id(), both, told);
  expect(await foundIn(world)).not.toContain(WRONG);
});
