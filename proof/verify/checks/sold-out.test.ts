// R4 and X11: who was turned away for want of stock, and what there was at that moment.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, emptyWorld, foundIn } from "../test-story.ts";
import { CLOCK_MS, RETURN_MS } from "../tolerances.ts";
import { body, row, START_MS, type World } from "../world.ts";

afterAll(closeWorlds);

const WRONG = "I5 an order was turned away as sold out though there was stock";

/** One order, decided at a time of its own. Returns its user and id. */
async function order(
  world: World,
  user: string,
  [sku, qty]: [sku: string, qty: number],
  state: string,
  shard = 0,
): Promise<[user: string, id: string]> {
  const id = world.id();
  await world.entry([row(user, id, body(sku, qty))], state, [], "decide", shard);
  return [user, id];
}

test("one unit short is no stock for an order of more", async () => {
  const world = await emptyWorld();
  await order(world, "ann", ["mug", 4], "reserved");
  await order(world, "ben", ["mug", 2], "sold_out");
  expect(await foundIn(world)).toEqual([]);
});

test("what another shard took in the same millisecond may have come first, a millisecond later it did not", async () => {
  const world = await emptyWorld(undefined, 2);
  await order(world, "ann", ["mug", 2], "sold_out");
  await order(world, "ben", ["mug", 4], "reserved", 1);
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE entries SET at_ms = at_ms + 1 WHERE shard = 1");
  expect(await foundIn(world)).toEqual([WRONG]);
});

test("what the same entry took afterwards was still there", async () => {
  const world = await emptyWorld();
  const rows = [row("ann", world.id(), body("mug", 5)), row("ben", world.id(), body("mug", 1))];
  await world.entry(rows, "reserved,sold_out");
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE messages SET outcomes = 'sold_out,reserved'");
  expect(await foundIn(world)).toContain(WRONG);
});

test("a unit that came back is for sale a while after the ledger has it, not before", async () => {
  const world = await emptyWorld();
  const ann = await order(world, "ann", ["mug", 5], "reserved");
  world.atMs += 1_000;
  await world.happened("cancelled", ann, ["mug", 5], { detail: "held" });
  world.atMs += 1_000;
  await order(world, "ben", ["mug", 1], "sold_out");
  await world.recordedInTime();
  expect(await foundIn(world)).not.toContain(WRONG);
  world.atMs += RETURN_MS;
  await order(world, "cid", ["mug", 1], "sold_out");
  await world.recordedInTime();
  expect(await foundIn(world)).toContain(WRONG);
  // The ledger was away for a minute: the entry was not in it before.
  await world.sql(`UPDATE entries SET recorded_ms = ${world.atMs} WHERE n = 2`);
  expect(await foundIn(world)).not.toContain(WRONG);
});

test("the next owner of the shard tells Redis all that came back; what it found decided was decided before", async () => {
  const world = await emptyWorld();
  const ann = await order(world, "ann", ["mug", 5], "reserved");
  world.atMs += 1_000;
  await world.happened("cancelled", ann, ["mug", 5], { detail: "held" });
  await world.taken();
  world.atMs += 1_000;
  await order(world, "ben", ["mug", 1], "sold_out");
  await world.recordedInTime();
  expect(await foundIn(world)).not.toContain(WRONG);
  world.atMs += 2 * CLOCK_MS;
  await order(world, "cid", ["mug", 1], "sold_out");
  await world.recordedInTime();
  expect(await foundIn(world)).toContain(WRONG);
});

test("an item of which a unit once came back is judged like any other", async () => {
  const world = await emptyWorld();
  const ann = await order(world, "ann", ["mug", 1], "reserved");
  await world.happened("cancelled", ann, ["mug", 1], { detail: "held" });
  world.atMs += 1_000;
  await order(world, "ben", ["mug", 4], "sold_out");
  expect(await foundIn(world)).toContain(WRONG);
});

test("what Redis decided and lost before a rebuild may have taken the last ones", async () => {
  const world = await emptyWorld(undefined, 2);
  await order(world, "ann", ["mug", 1], "reserved");
  await order(world, "cid", ["mug", 1], "reserved", 1);
  world.atMs += 1_000;
  await order(world, "ben", ["mug", 1], "sold_out");
  world.atMs += 1_000;
  await world.rebuilt();
  world.atMs += 2_000;
  await order(world, "dan", ["cap", 1], "reserved");
  await order(world, "dora", ["cap", 1], "reserved", 1);
  expect(await foundIn(world)).not.toContain(WRONG);
  world.atMs += 1_000;
  await order(world, "eve", ["mug", 1], "sold_out");
  expect(await foundIn(world)).toContain(WRONG);
});

test("units that are added are for sale a while after Redis was told", async () => {
  const world = await emptyWorld();
  const restock = `{"kind":"restock","ref":"r","saleId":"spring","sku":"mug","units":2}`;
  await order(world, "ann", ["mug", 5], "reserved");
  world.atMs = START_MS + RETURN_MS + 2_000;
  await order(world, "ben", ["mug", 1], "sold_out");
  await world.sql(
    `INSERT INTO operations (ref, operation, subject, at_ms, applied, applied_ms)
     VALUES ('r', '${restock}', 'olga', ${START_MS}, 1, ${world.atMs})`,
    "UPDATE items SET restocked = 2, available = 2 WHERE sku = 'mug'",
    `INSERT INTO movements (cause, sale, sku, account, units) VALUES
     ('restock r', 'spring', 'mug', 'supply', -2), ('restock r', 'spring', 'mug', 'available', 2)`,
  );
  expect(await foundIn(world)).not.toContain(WRONG);
  await world.sql(`UPDATE operations SET applied_ms = ${START_MS + 1_000} WHERE ref = 'r'`);
  expect(await foundIn(world)).toContain(WRONG);
});
