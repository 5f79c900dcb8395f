// Charges against orders, prices and the provider: I6, I8.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, foundAfter, type Lie } from "../test-story.ts";
import type { World } from "../world.ts";

const LIES: readonly Lie[] = [
  [
    "an order is paid without a capture",
    "I6",
    ({ world }) => world.sql("UPDATE charges SET status = 'failed' WHERE usr = 'ann'"),
  ],
  [
    "the ledger has a capture that the provider does not",
    "I6",
    ({ world }) => world.captures.pop(),
  ],
  [
    "the provider and the ledger differ about a charge",
    "I6",
    ({ world }) => alter(world, { refunded: true }),
  ],
  [
    "the provider charged a different amount than the ledger has",
    "I6",
    ({ world }) => alter(world, { amount: 1 }),
  ],
  ["a customer pays twice for one order", "I6", ({ world, ann }) => again(world, `ann/${ann}/1/2`)],
  [
    "an order was charged that had not been reserved",
    "I6",
    ({ world }) => world.sql("UPDATE charges SET usr = 'eve' WHERE usr = 'ann'"),
  ],
  [
    "an order was charged a different amount than its items cost",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET amount = amount + 1"),
  ],
  [
    "an order was charged in a currency other than its own",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET currency = 'USD'"),
  ],
  [
    "an order in its sale's own currency was charged at a rate",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET rate_id = 'r', rate = '1'"),
  ],
  [
    "a charge does not record the rate its order was decided at",
    "I8",
    ({ world }) =>
      world.sql(
        "UPDATE sales SET currency = 'USD'",
        "UPDATE charges SET rate_id = 'r', rate = '1'",
      ),
  ],
  [
    "an order was charged more than its buyer allows",
    "I8",
    ({ world }) =>
      world.sql(
        `UPDATE messages SET body = replace(body, '"sku":', '"maxTotal":[1,1],"sku":') WHERE n = 1`,
      ),
  ],
  [
    "postings of one cause do not sum to zero",
    "I8",
    ({ world }) => world.sql("UPDATE postings SET amount = 1 WHERE account = 'revenue'"),
  ],
  [
    "a sale's revenue is not what its orders have paid",
    "I8",
    ({ world }) => world.sql("UPDATE postings SET sale = 'other' WHERE account = 'revenue'"),
  ],
];

afterAll(closeWorlds);

test.each(LIES)("finds one lie: %s", async (what, invariant, lie) => {
  expect(await foundAfter(lie)).toContain(`${invariant} ${what}`);
});

/** Alters the provider's first record. */
function alter(world: World, change: Partial<World["captures"][number]>): void {
  world.captures[0] = { ...(world.captures[0] as World["captures"][number]), ...change };
}

function again(world: World, key: string): void {
  world.captures.push({ ...(world.captures[0] as World["captures"][number]), key });
}
