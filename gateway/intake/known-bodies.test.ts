import { expect, test } from "bun:test";
import { Batch, type Recipient } from "./batch.ts";
import { KnownBodies } from "./known-bodies.ts";

const nobody: Recipient = {
  follows: false,
  settled: () => undefined,
  decided: () => undefined,
  forgotten: () => undefined,
};

/** A batch of one order for each id and fingerprint. */
function batchOf(...orders: readonly (readonly [string, string, string])[]): Batch {
  const batch = new Batch(0, "b", () => 1);
  for (const [user, id, fingerprint] of orders) {
    const order = { user, id, saleId: "s", seq: 0, currency: "EUR" };
    const rest = { lines: [{ sku: "lamp", qty: 1 }], payment: "", metadata: "", maxTotal: 0 };
    batch.order({ ...order, ...rest }, 1, undefined, 1, nobody, 0, fingerprint);
  }
  return batch;
}

function confirmed(batch: Batch): Batch {
  batch.verdict = "confirmed";
  return batch;
}

const [FIRST, OTHER] = ["0123456789abcdef", "fedcba9876543210"];
const HEAD = "019acdef-0000-7000-8000-";

test("another body under a known id is noticed; the same one, and any new id, are not", () => {
  const bodies = new KnownBodies();
  const id = `${HEAD}0123456789af`;
  expect(bodies.isOther("ann", id, OTHER)).toBe(false);
  bodies.accepted(batchOf(["ann", id, FIRST]));
  expect(bodies.isOther("ann", id, OTHER)).toBe(true);
  expect(bodies.isOther("ann", id, FIRST)).toBe(false);
});

test("an id is one user's, and all its digits count", () => {
  const bodies = new KnownBodies();
  const id = `${HEAD}fedcba98ffff`;
  bodies.accepted(batchOf(["ann", id, FIRST]));
  for (const [user, other] of [
    ["bob", id],
    ["nn", id],
    ["ann", `${HEAD}fedcba98fffe`],
    ["ann", `${HEAD}0edcba98ffff`],
    ["ann", id.replace("019", "01a")],
  ] as const)
    expect(bodies.isOther(user, other, OTHER)).toBe(false);
});

test("a later order takes the place of an earlier one, which is not known then", () => {
  const bodies = new KnownBodies();
  const [earlier, later] = [`${HEAD}000000001234`, `${HEAD}a00000001234`];
  bodies.accepted(batchOf(["ann", earlier, FIRST], ["bob", later, FIRST]));
  expect(bodies.isOther("ann", earlier, OTHER)).toBe(false);
  expect(bodies.isOther("bob", later, OTHER)).toBe(true);
});

test("a body that turns out not to be the first is forgotten, and no other one", () => {
  const bodies = new KnownBodies();
  const [id, next] = [`${HEAD}0123456789ab`, `${HEAD}0123456789ac`];
  const batch = confirmed(batchOf(["ann", id, OTHER], ["ann", next, OTHER]));
  bodies.accepted(batch);
  bodies.decided(batch, ["!reserved", "reserved"]);
  expect(bodies.isOther("ann", id, FIRST)).toBe(false);
  expect(bodies.isOther("ann", next, FIRST)).toBe(true);
  // Meanwhile another order may have taken the place.
  const later = `${HEAD}a123456789ac`;
  bodies.accepted(batchOf(["bob", later, FIRST]));
  bodies.decided(batch, ["!reserved", "!reserved"]);
  expect(bodies.isOther("bob", later, OTHER)).toBe(true);
});

test("the outcome of an order whose confirm did not come says which body is the first", () => {
  const bodies = new KnownBodies();
  const [id, next] = [`${HEAD}0123456789ab`, `${HEAD}0123456789ac`];
  const batch = batchOf(["ann", id, OTHER], ["ann", next, OTHER]);
  batch.verdict = "unconfirmed";
  bodies.decided(batch, ["!reserved", "reserved"]);
  expect(bodies.isOther("ann", id, FIRST)).toBe(false);
  expect(bodies.isOther("ann", next, FIRST)).toBe(true);
});

test("an id whose digits are all zeros is like any other", () => {
  const bodies = new KnownBodies();
  const id = `${HEAD}000000000000`;
  expect(bodies.isOther("ann", id, OTHER)).toBe(false);
  bodies.accepted(batchOf(["ann", id, FIRST]));
  expect(bodies.isOther("ann", id, OTHER)).toBe(true);
});
