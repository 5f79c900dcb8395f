// Money that somebody is owed is named and never passed over; and what the provider has on record
// the ledger has too.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, foundIn, trueStory } from "../test-story.ts";
import type { World } from "../world.ts";
import type { CaptureRecord } from "./provider-record.ts";

afterAll(closeWorlds);

const OWED: readonly (readonly [status: string, what: string])[] = [
  ["started", "charges under way: it is not known yet whether the customer has paid"],
  ["unknown", "charges of orders given up, looked up until it is known whether they were paid"],
  ["unresolved", "charges that nobody looks up any more, and nobody knows whether they were paid"],
  ["refunding", "refunds under way: the customer is owed them"],
  ["refund_failed", "refunds that the provider refuses: the customer is owed them"],
  ["disputed", "captures that the customer disputes"],
  ["returned", "captures that were given back at the provider"],
];

test.each(OWED)("a charge that is %s is named", async (status, what) => {
  const { world } = await trueStory();
  expect((await world.verify()).known).toEqual([]);
  await world.sql(`UPDATE charges SET status = '${status}' WHERE usr = 'ann'`);
  expect((await world.verify()).known).toContainEqual(expect.objectContaining({ what, count: 2 }));
});

test("a paid order without a route is named", async () => {
  const { world } = await trueStory();
  await world.sql("UPDATE parts SET service = '', status = 'waiting' WHERE usr = 'ann'");
  expect((await world.verify()).known).toContainEqual(
    expect.objectContaining({ what: "parts of paid orders that no route takes", count: 2 }),
  );
});

/** The ledger says one thing of Ann's charges, the provider another; and whether that is wrong. */
const DIFFERENCES: readonly (readonly [
  ledger: string,
  provider: Partial<CaptureRecord>,
  wrong: string | undefined,
])[] = [
  ["captured", { refunded: true }, "the provider and the ledger differ about a charge"],
  [
    "captured",
    { refunded: true, refundedBy: "provider" },
    "the ledger does not know of a charge that was returned at the provider",
  ],
  [
    "captured",
    { disputed: true },
    "the ledger does not know of a charge that was disputed at the provider",
  ],
  ["captured", { status: "declined" }, "the provider and the ledger differ about a charge"],
  ["captured", { currency: "USD" }, "the provider charged another amount than the ledger has"],
  ["failed", {}, "the provider and the ledger differ about a charge"],
  ["unresolved", {}, "a capture was never found, and nobody looks for it any more"],
  [
    "refunded",
    { refunded: true, refundedAmount: 1 },
    "the provider gave back another amount than it took",
  ],
  ["refunded", {}, "the provider and the ledger differ about a charge"],
  ["refunded", { status: "declined" }, "the provider and the ledger differ about a charge"],
  ["returned", {}, "the provider and the ledger differ about a charge"],
  ["disputed", {}, "the provider and the ledger differ about a charge"],
  ["unknown", {}, undefined],
  ["unknown", { status: "declined" }, undefined],
  ["refund_failed", {}, undefined],
  ["refunded", { refunded: true }, undefined],
  ["returned", { refunded: true, refundedBy: "provider" }, undefined],
  ["disputed", { disputed: true }, undefined],
];

test.each(DIFFERENCES)("ledger %s, provider %j: %s", async (ledger, provider, wrong) => {
  const { world } = await trueStory();
  await world.sql(`UPDATE charges SET status = '${ledger}' WHERE usr = 'ann'`);
  atProvider(world, provider);
  const AT_PROVIDER = /provider|never found/;
  const found = (await foundIn(world)).filter((what) => AT_PROVIDER.test(what));
  if (wrong === undefined) expect(found).toEqual([]);
  else expect(found).toContain(`I6 ${wrong}`);
});

function atProvider(world: World, change: Partial<CaptureRecord>): void {
  const own = world.captures.splice(0);
  world.captures.push(
    ...own.map((record) => (record.key.startsWith("ann/") ? { ...record, ...change } : record)),
  );
}
