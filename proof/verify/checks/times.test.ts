// Outcomes that depend on time: stale, expired, a sale's window, and orders that cannot end.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, emptyWorld, foundIn } from "../test-story.ts";
import { RETURN_MS } from "../tolerances.ts";
import { body, row, START_MS, type World } from "../world.ts";

afterAll(closeWorlds);

const HOUR_MS = 3_600_000;
const RULES = { dedupWindowMs: HOUR_MS, holdTtlMs: 600_000 };
const STALE = "I1 an order was refused as stale though it was recent enough";
const EARLY = "I5 an order expired before its hold time was over";

async function staleAfter(ms: number): Promise<World> {
  const world = await emptyWorld();
  const id = world.id();
  world.atMs += ms;
  await world.entry([row("ann", id, body("mug", 1))], "stale");
  return world;
}

test.each([10, HOUR_MS / 2])("an order %d ms old is not stale", async (ms) => {
  expect(await foundIn(await staleAfter(ms), RULES)).toEqual([STALE]);
});

test("an order older than the records is stale", async () => {
  expect(await foundIn(await staleAfter(HOUR_MS + 60_000), RULES)).toEqual([]);
});

test("an old id does not make a newly accepted order stale", async () => {
  const world = await staleAfter(HOUR_MS + 60_000);
  await world.sql(
    `UPDATE messages SET body = replace(body, '"at":[${START_MS}]', '"at":[${world.atMs - 10}]')`,
  );
  expect(await foundIn(world, RULES)).toEqual([STALE]);
});

/** Ann's second order waits in her lane and expires after this long. */
async function expiredAfter(ms: number): Promise<World> {
  const world = await emptyWorld();
  const id = world.id();
  await world.entry([row("ann", id, body("mug", 1))], "reserved");
  await world.sql("UPDATE charges SET attempt = 0, status = 'waiting'");
  world.atMs += ms;
  await world.happened("expired", ["ann", id], ["mug", 1], { attempt: 0, kind: "expire" });
  await world.sql("UPDATE charges SET status = 'dropped'");
  return world;
}

test("a hold lasts as long as configured", async () => {
  expect(await foundIn(await expiredAfter(RULES.holdTtlMs - 5_000), RULES)).toEqual([EARLY]);
  expect(await foundIn(await expiredAfter(RULES.holdTtlMs), RULES)).toEqual([]);
});

test("no order expires while it is being charged", async () => {
  const world = await expiredAfter(RULES.holdTtlMs);
  await world.sql(`UPDATE entries SET steps = replace(steps, '"attempt":0', '"attempt":1')`);
  expect(await foundIn(world, RULES)).toEqual(["I6 an order expired while it was being charged"]);
});

test("a reserved order has a charge", async () => {
  const NO_END = "I1 an order is reserved but never charged, so it cannot end";
  const world = await emptyWorld();
  await world.entry([row("ann", world.id(), body("mug", 1))], "reserved");
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE charges SET status = 'refunded'");
  expect(await foundIn(world)).toEqual([NO_END]);
  await world.sql("DELETE FROM charges");
  expect(await foundIn(world)).toEqual([NO_END]);
});

test("a reopened sale is judged by its window at that time", async () => {
  const CLOSED = "I5 an order was refused as too early or late though the sale was open";
  const TAKEN = "I5 an order was reserved outside the sale's window";
  const world = await emptyWorld();
  // Stamped START_MS. The operator closes the sale from a minute before that on.
  await world.entry([row("ann", world.id(), body("mug", 1))], "reserved");
  world.atMs += 2 * RETURN_MS;
  await world.entry([row("ben", world.id(), body("mug", 1))], "sale_closed");
  expect(await foundIn(world)).toEqual([CLOSED]);
  const closesMs = START_MS - 60_000;
  const close = `{"kind":"close","ref":"c","saleId":"spring","atMs":${closesMs}}`;
  await world.sql(
    `INSERT INTO operations (ref, operation, subject, at_ms, applied, applied_ms)
     VALUES ('c', '${close}', 'olga', ${START_MS + 10_000}, 1, ${START_MS + 11_000})`,
    `UPDATE sales SET closes_ms = ${closesMs}`,
  );
  expect(await foundIn(world)).toEqual([]);
  // Long after Redis was updated, no order may be reserved.
  await world.sql("UPDATE messages SET outcomes = 'reserved' WHERE n = 2");
  expect(await foundIn(world)).toContain(TAKEN);
});
