// The journal, the orders, and what clients sent and received: I1, I2, I3, I4, I10.
import { afterAll, expect, test } from "bun:test";
import { messageText } from "../../../core/domain/message.ts";
import { closeWorlds, foundAfter, type Lie, replaceInSteps } from "../test-story.ts";
import { body, row, type World } from "../world.ts";

const LIES: readonly Lie[] = [
  [
    "an accepted order is not in the ledger",
    "I1",
    ({ world }) => world.sent("ann", world.id(), body("mug", 1), { at: 500 }),
  ],
  [
    "a client received a different outcome than the ledger has",
    "I1",
    ({ world, ann }) => world.told("ann", ann, "sold_out"),
  ],
  [
    "an order's record differs from its journal",
    "I1",
    ({ world }) => world.sql("UPDATE orders SET state = 'sold_out' WHERE usr = 'ann'"),
  ],
  [
    "an order of the journal has no record",
    "I1",
    ({ world }) => world.sql("DELETE FROM orders WHERE usr = 'ann'"),
  ],
  [
    "an order's events differ from its journal",
    "I1",
    ({ world }) => world.sql("UPDATE events SET event = 'cancelled' WHERE event = 'dispatched'"),
  ],
  [
    "an order's events differ from its journal",
    "I1",
    ({ world }) => world.sql("DELETE FROM events WHERE event = 'paid' AND usr = 'ben'"),
  ],
  [
    "an entry does not follow the one before it",
    "I1",
    ({ world }) => world.sql("UPDATE entries SET prev = 'e9' WHERE n = 3"),
  ],
  [
    "the ledger's position is not its last entry",
    "I1",
    ({ world }) => world.sql("UPDATE shards SET last_n = 3, last_id = 'e3'"),
  ],
  [
    "an order changed to a state that cannot follow its last one",
    "I1",
    ({ world }) => world.sql(replaceInSteps('"paid","user":"ann"', '"dispatched","user":"ann"')),
  ],
  [
    "the ledger holds an order that nobody sent",
    "I2",
    ({ world }) => drop(world, (line) => line.user === "ben"),
  ],
  [
    "an order was decided twice",
    "I3",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'reserved,!reserved' WHERE n = 2"),
  ],
  [
    "an altered resend was treated as the original",
    "I3",
    ({ world }) => world.sql("UPDATE messages SET outcomes = '=reserved,=reserved' WHERE n = 2"),
  ],
  [
    "an altered resend left no conflict on record",
    "I3",
    ({ world }) => world.sql("DELETE FROM events WHERE event = 'conflict'"),
  ],
  [
    "a recorded conflict matches no sending",
    "I3",
    ({ world }) => drop(world, (line) => line.op === "order" && line.send === 3),
  ],
  [
    "an altered resend replaced the original",
    "I3",
    ({ world }) =>
      world.sql(`UPDATE messages SET body = replace(body, '"qty":[2,', '"qty":[1,') WHERE n = 1`),
  ],
  [
    "the ledger's order is not one of those sent under its id",
    "I3",
    ({ world }) =>
      world.sql(`UPDATE messages SET body = replace(body, '"cap"', '"mug"') WHERE n = 4`),
  ],
  ["numbers were decided out of order", "I4", ({ world, four }) => swapNumbers(world, four)],
  [
    "a number was decided before its turn",
    "I4",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skip_late,over_limit' WHERE n = 4"),
  ],
  [
    "an order was decided before one acknowledged earlier",
    "I4",
    ({ world, ann }) => late(world, ann),
  ],
  [
    "an order was superseded though its number had not passed",
    "I4",
    ({ world }) =>
      world.sql(
        "UPDATE messages SET outcomes = 'skip_late,superseded' WHERE n = 4",
        "UPDATE orders SET state = 'superseded' WHERE state = 'over_limit'",
      ),
  ],
  [
    "an order that was only ever refused is in the ledger",
    "I10",
    ({ world, four }) => refuse(world, four),
  ],
];

afterAll(closeWorlds);

test.each(LIES)("finds one lie: %s", async (what, invariant, lie) => {
  expect(await foundAfter(lie)).toContain(`${invariant} ${what}`);
});

test("an answer that another region may hold the order proves no order of decisions", async () => {
  const found = await foundAfter(({ world, ann }) => late(world, ann, "eu,us"));
  expect(found.filter((each) => each.startsWith("I4"))).toEqual([]);
});

function drop(
  world: World,
  which: (line: World["lines"][number] & { send?: number }) => boolean,
): void {
  world.lines.splice(0, world.lines.length, ...world.lines.filter((line) => !which(line as never)));
}

/**
 * Ben's fourth order is decided in the entry of his first, after it in the list but with an earlier
 * number.
 */
async function swapNumbers(world: World, four: string): Promise<void> {
  const swapped = messageText([
    row("ben", four, body("cap", 1, 4)),
    row("ben", world.id(), body("mug", 1, 3)),
  ]);
  await world.sql(
    `UPDATE messages SET body = '${swapped}', outcomes = 'over_limit,over_limit' WHERE n = 4`,
  );
}

/** Ann's second order returned from the region before her first was sent. */
async function late(world: World, first: string, region = "eu"): Promise<void> {
  for (const line of world.lines)
    if (line.op === "order" && line.id === first)
      Object.assign(line, { region, t0: 1_000, t1: 1_010 });
}

function refuse(world: World, id: string): void {
  for (const line of world.lines)
    if (line.op === "order" && line.id === id) Object.assign(line, { result: "fail", status: 503 });
}
