import { expect, test } from "bun:test";
import type { FollowUp } from "../../ledger/contract.ts";
import { parcelsOf } from "./parcels.ts";

let id = 0;
const followUp = (routingKey: string, body: string, exchange = ""): FollowUp => ({
  ...{ id: id++, shard: 0, exchange, routingKey },
  body,
});
/** A list of this many requests. */
const list = (requests: number) =>
  JSON.stringify(Array.from({ length: requests }, () => ({ id: `r${id++}` })));

const bodies = (open: readonly FollowUp[]) => parcelsOf(open).map(({ body }) => JSON.parse(body));

test("parts share messages of at most twenty, charges of a hundred, in their order", () => {
  const open = [1, 2, 17, 1, 20, 3].map((parts) => followUp("eu.art", list(parts), "fulfil"));
  expect(bodies(open).map(({ length }) => length)).toEqual([20, 1, 20, 3]);
  const charges = [60, 39, 2, 1].map((requests) => followUp("payments", list(requests)));
  expect(bodies(charges).map(({ length }) => length)).toEqual([99, 3]);
  expect(bodies(open).flat()).toEqual(open.flatMap(({ body }) => JSON.parse(body)));
  expect(parcelsOf(open).flatMap(({ followUps }) => followUps)).toEqual(open);
});

test("requests for different queues share no message", () => {
  const open = ["payments", "payments.retry.1", "payments"].map((key) => followUp(key, list(1)));
  const keys = parcelsOf(open).map(({ followUps }) => followUps.map((f) => f.routingKey));
  expect(keys).toEqual([["payments", "payments"], ["payments.retry.1"]]);
});

test("what is not a list of requests has a message of its own", () => {
  const letter = '{"reason":"unreadable"}';
  const all = [letter, letter, "[]", "[1]", "[{ cut off", '[{"a":1},'];
  const open = all.map((body) => followUp("orders.dead", body));
  expect(parcelsOf(open).map(({ body }) => body)).toEqual(all);
});
