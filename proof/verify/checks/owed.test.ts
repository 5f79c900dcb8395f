// Money owed to somebody is always reported, and the ledger has whatever the provider has on
// record.
import { afterAll, expect, test } from "bun:test";
import { closeWorlds, foundIn, trueStory } from "../test-story.ts";
import type { World } from "../world.ts";
import type { CaptureRecord } from "./provider-record.ts";

afterAll(closeWorlds);

const OWED: readonly (readonly [status: string, what: string])[] = [
  ["started", "charges under way: it is not known yet whether the customer has paid"],
  ["unknown", "charges of failed orders, looked up until it is known whether they were paid"],
  ["unresolved", "charges with an unknown result that are no longer looked up"],
  ["refunding", "refunds under way: the customer is owed them"],
  ["refund_failed", "refunds that the provider refuses: the customer is owed them"],
  ["disputed", "captures that the customer disputes"],
  ["returned", "captures that the provider refunded on its own"],
];

test.each(OWED)("a charge that is %s is reported", async (status, what) => {
  const { world } = await trueStory();
  expect((await world.verify()).known).toEqual([]);
  await world.sql(`UPDATE charges SET status = '${status}' WHERE usr = 'ann'`);
  expect((await world.verify()).known).toContainEqual(expect.objectContaining({ what, count: 2 }));
});

test("a paid order without a route is reported", async () => {
  const { world } = await trueStory();
  await world.sql("UPDATE parts SET service = '', status = 'waiting' WHERE usr = 'ann'");
  expect((await world.verify()).known).toContainEqual(
    expect.objectContaining({ what: "parts of paid orders without a route", count: 2 }),
  );
});

/** What the ledger and the provider each say of Ann's charges, and whether that is wrong. */
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
  ["captured", { currency: "USD" }, "the provider charged a different amount than the ledger has"],
  ["failed", {}, "the provider and the ledger differ about a charge"],
  ["unresolved", {}, "a capture was never found and is no longer looked up"],
  [
    "refunded",
    { refunded: true, refundedAmount: 1 },
    "the provider refunded a different amount than it captured",
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
