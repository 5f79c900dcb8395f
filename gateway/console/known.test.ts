// What is known of each part, and of when.
import { expect, test } from "bun:test";
import { figures } from "../../core/domain/figures.ts";
import type { Overview } from "../../core/domain/overview.ts";
import { overviewOf } from "../../core/domain/test-reports.ts";
import { type Knowledge, learn, lose, nothing } from "./known.ts";

const NOW_MS = 500_000;
const known = (now: Overview, before: Knowledge = nothing("not asked yet")) =>
  learn(before, now, () => figures(undefined, now), NOW_MS);
const fresh = overviewOf();

test("a part that could be asked is as of now", () => {
  const { sales, workers, dead, shards } = known(fresh);
  for (const part of [sales, workers, dead, shards])
    expect(part).toMatchObject({ atMs: NOW_MS, why: "" });
  expect(sales.value).toHaveLength(1);
  expect(workers.value?.map(({ id }) => id)).toEqual(["worker-1"]);
});

test("one that could not is as old as it is, and says who did not answer", () => {
  const asOf = { ...fresh.asOf, roles: fresh.atMs - 42_000, dead: fresh.atMs - 42_000 };
  const { workers, dead, sales } = known(overviewOf({ asOf, unasked: ["redis", "broker eu"] }));
  const why = "no answer from Redis, broker eu";
  for (const part of [workers, dead]) expect(part).toMatchObject({ atMs: NOW_MS - 42_000, why });
  expect(sales.why).toBe("");
});

test("rates without values do not replace those that were known", () => {
  const orders = { ...fresh.orders, accepted: null, overMs: null };
  const away = overviewOf({ orders, unasked: ["redis"] });
  const before = known(fresh);
  expect(known(away, before).orders).toEqual({ ...before.orders, why: "no answer from Redis" });
  expect(known(away, before).flow.value).toEqual(fresh.flow);
  expect(known(away).orders.value?.accepted).toBeNull();
});

test("one that the gateway never knew is unknown, or what this page knew before", () => {
  const never = overviewOf({
    ...{ asOf: { ...fresh.asOf, sales: null }, sales: [], unasked: ["ledger"] },
  });
  const why = "no answer from ledger";
  expect(known(never).sales).toMatchObject({ value: undefined, why });
  expect(known(never, known(fresh)).sales).toEqual({ value: fresh.sales, atMs: NOW_MS, why });
});

test("a sale is as old as its units", () => {
  const [sale] = fresh.sales;
  const old = { ...sale, stockAsOfMs: fresh.atMs - 9_000 } as Overview["sales"][number];
  expect(known(overviewOf({ sales: [old] })).sales).toMatchObject({ atMs: NOW_MS - 9_000 });
});

test("a part that cannot be read leaves the others as they are", () => {
  const broken = { ...fresh, orders: undefined } as unknown as Overview;
  const { orders, flow } = known(broken, known(fresh));
  expect(orders).toMatchObject({ value: fresh.orders, why: "this gateway does not report it" });
  expect(flow.why).toBe("");
});

test("while nobody answers, everything keeps its value and its time", () => {
  const before = known(fresh);
  const { sales, verdict } = lose(before, "the gateway does not answer");
  expect(sales).toEqual({ ...before.sales, why: "the gateway does not answer" });
  expect(verdict.value).toEqual(fresh.verdict);
});
