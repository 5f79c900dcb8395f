// Parts, services and cancelled orders: I7.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, foundAfter, type Lie, replaceInSteps } from "../test-story.ts";
import type { World } from "../world.ts";

const LIES: readonly Lie[] = [
  [
    "money is kept for an order that is cancelled",
    "I7",
    ({ world }) => world.sql(replaceInSteps('"paid","user":"ann"', '"cancelled","user":"ann"')),
  ],
  [
    "an order that was never paid has parts",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET usr = 'eve' WHERE usr = 'ann'"),
  ],
  [
    "a paid order has no parts",
    "I7",
    ({ world }) => world.sql("DELETE FROM parts WHERE usr = 'ann'"),
  ],
  [
    "an order's number of parts differs from the number they state",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET parts = 2 WHERE usr = 'ann'"),
  ],
  [
    "an order's parts are not its lines",
    "I7",
    ({ world }) => world.sql(`UPDATE parts SET lines = replace(lines, '"mug"', '"cap"')`),
  ],
  [
    "an order is dispatched though its parts are not done, or the reverse",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET status = 'claimed' WHERE usr = 'ann'"),
  ],
  [
    "a service worked on something that is not part of an order",
    "I7",
    ({ world }) => pack(world, { key: "eve/x/1/1" }),
  ],
  ["a part was worked on twice", "I7", ({ world }) => pack(world, { service: "other" })],
  [
    "a part is done in the ledger but its service did not work on it",
    "I7",
    ({ world }) => world.packed.pop(),
  ],
  [
    "a service worked on lines other than the order's",
    "I7",
    ({ world }) => repack(world, { lines: "[]" }),
  ],
  [
    "a part was worked on by a service that had not claimed it",
    "I7",
    ({ world }) => repack(world, { service: "other" }),
  ],
  [
    "a service worked on an order that it must not work on",
    "I7",
    ({ world }) => world.sql(replaceInSteps('"claimed","user":"ann"', '"start","user":"ann"')),
  ],
  [
    "an order was cancelled though a service had claimed it",
    "I7",
    ({ world }) =>
      world.sql(replaceInSteps('"dispatched","user":"ann"', '"cancelled","user":"ann"')),
  ],
];

afterAll(closeWorlds);

test.each(LIES)("finds one lie: %s", async (what, invariant, lie) => {
  expect(await foundAfter(lie)).toContain(`${invariant} ${what}`);
});

function pack(world: World, change: Partial<World["packed"][number]>): void {
  world.packed.push({ ...(world.packed[0] as World["packed"][number]), ...change });
}

function repack(world: World, change: Partial<World["packed"][number]>): void {
  world.packed[0] = { ...(world.packed[0] as World["packed"][number]), ...change };
}
