// Ends that are a matter of time: stale, expired, a sale's window, and orders that never end.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, emptyWorld, foundIn } from "../test-story.ts";
import { RETURN_MS } from "../tolerances.ts";
import { body, row, START_MS, type World } from "../world.ts";

afterAll(closeWorlds);

const HOUR_MS = 3_600_000;
const RULES = { dedupWindowMs: HOUR_MS, holdTtlMs: 600_000 };
const STALE = "I1 an order was turned away as stale though it was young enough to be judged";
const EARLY = "I5 an order expired before its units had been held for their time";

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

test("an old id does not make an order stale that was accepted just now", async () => {
  const world = await staleAfter(HOUR_MS + 60_000);
  await world.sql(
    `UPDATE messages SET body = replace(body, '"at":[${START_MS}]', '"at":[${world.atMs - 10}]')`,
  );
  expect(await foundIn(world, RULES)).toEqual([STALE]);
});

/** Ann's second order waits in her lane, and is given up after so long. */
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

test("a hold lasts its time", async () => {
  expect(await foundIn(await expiredAfter(RULES.holdTtlMs - 5_000), RULES)).toEqual([EARLY]);
  expect(await foundIn(await expiredAfter(RULES.holdTtlMs), RULES)).toEqual([]);
});

test("nothing expires that is being charged", async () => {
  const world = await expiredAfter(RULES.holdTtlMs);
  await world.sql(`UPDATE entries SET steps = replace(steps, '"attempt":0', '"attempt":1')`);
  expect(await foundIn(world, RULES)).toEqual(["I6 an order expired while it was being charged"]);
});

test("an order that is reserved has somebody who charges for it", async () => {
  const NO_END = "I1 an order is reserved and nobody charges for it: it has no end";
  const world = await emptyWorld();
  await world.entry([row("ann", world.id(), body("mug", 1))], "reserved");
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE charges SET status = 'refunded'");
  expect(await foundIn(world)).toEqual([NO_END]);
  await world.sql("DELETE FROM charges");
  expect(await foundIn(world)).toEqual([NO_END]);
});

test("a sale that was closed and opened again is judged by what held then", async () => {
  const CLOSED = "I5 an order was turned away as too early or late though the sale was open";
  const TAKEN = "I5 an order was taken outside the sale's window";
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
  // Long after Redis was told, nobody may be taken in.
  await world.sql("UPDATE messages SET outcomes = 'reserved' WHERE n = 2");
  expect(await foundIn(world)).toContain(TAKEN);
});
