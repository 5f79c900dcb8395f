// R4 and X11: orders refused as sold out, and the stock at that moment.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, emptyWorld, foundIn } from "../test-story.ts";
import { CLOCK_MS, RETURN_MS } from "../tolerances.ts";
import { body, row, START_MS, type World } from "../world.ts";

afterAll(closeWorlds);

const WRONG = "I5 an order was refused as sold out though there was stock";

/** One order, decided at its own time. Returns its user and id. */
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

test("an order for one unit more than there is may be refused", async () => {
  const world = await emptyWorld();
  await order(world, "ann", ["mug", 4], "reserved");
  await order(world, "ben", ["mug", 2], "sold_out");
  expect(await foundIn(world)).toEqual([]);
});

test("another shard's order of the same millisecond may be first, a later one not", async () => {
  const world = await emptyWorld(undefined, 2);
  await order(world, "ann", ["mug", 2], "sold_out");
  await order(world, "ben", ["mug", 4], "reserved", 1);
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE entries SET at_ms = at_ms + 1 WHERE shard = 1");
  expect(await foundIn(world)).toEqual([WRONG]);
});

test("units that the same entry took afterwards were still there", async () => {
  const world = await emptyWorld();
  const rows = [row("ann", world.id(), body("mug", 5)), row("ben", world.id(), body("mug", 1))];
  await world.entry(rows, "reserved,sold_out");
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE messages SET outcomes = 'sold_out,reserved'");
  expect(await foundIn(world)).toContain(WRONG);
});

test("a returned unit is for sale a while after the ledger has it, not before", async () => {
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
  // The ledger was down for a minute, so it recorded the entry only now.
  await world.sql(`UPDATE entries SET recorded_ms = ${world.atMs} WHERE n = 2`);
  expect(await foundIn(world)).not.toContain(WRONG);
});

test("a shard's next owner returns units before its own decisions, not earlier ones", async () => {
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

test("an item with a returned unit is judged like any other", async () => {
  const world = await emptyWorld();
  const ann = await order(world, "ann", ["mug", 1], "reserved");
  await world.happened("cancelled", ann, ["mug", 1], { detail: "held" });
  world.atMs += 1_000;
  await order(world, "ben", ["mug", 4], "sold_out");
  expect(await foundIn(world)).toContain(WRONG);
});

test("decisions that Redis lost before a rebuild may have taken the last units", async () => {
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

test("added units are for sale a while after Redis has them", async () => {
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
