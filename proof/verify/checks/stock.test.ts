// Units, limits and windows: I5.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, foundAfter, type Lie } from "../test-story.ts";

const LIES: readonly Lie[] = [
  ["oversold", "I5", ({ world }) => world.sql("UPDATE items SET initial = 4 WHERE sku = 'mug'")],
  [
    "units held differ from what the orders hold",
    "I5",
    ({ world }) => world.sql("UPDATE items SET held = 4, available = 1 WHERE sku = 'mug'"),
  ],
  [
    "stock does not add up",
    "I5",
    ({ world }) => world.sql("UPDATE items SET available = 7 WHERE sku = 'cap'"),
  ],
  [
    "stock movements of one cause do not sum to zero",
    "I5",
    ({ world }) =>
      world.sql("UPDATE movements SET units = 9 WHERE account = 'held' AND sku = 'cap'"),
  ],
  [
    "an entry moved different units than its orders took",
    "I5",
    ({ world }) => world.sql("DELETE FROM movements WHERE cause = 'entry 0-3' AND sku = 'cap'"),
  ],
  [
    "a user has more than the limit",
    "I5",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skipped,reserved' WHERE n = 4"),
  ],
  [
    "an order was refused as sold out though there was stock",
    "I5",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skipped,sold_out' WHERE n = 4"),
  ],
  [
    "an order was refused as over the limit though it was not",
    "I5",
    ({ world }) => world.sql("UPDATE items SET limit_per_user = 2"),
  ],
  [
    "an order was reserved outside the sale's window",
    "I5",
    ({ world }) => world.sql("UPDATE sales SET opens_ms = opens_ms + 1"),
  ],
  ["Redis's stock differs from the ledger's", "I5", ({ world }) => world.hold("cap", 1)],
];

afterAll(closeWorlds);

test.each(LIES)("finds one lie: %s", async (what, invariant, lie) => {
  expect(await foundAfter(lie)).toContain(`${invariant} ${what}`);
});
