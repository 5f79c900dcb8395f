// The scenarios that are made of the faults.
import { expect, test } from "bun:test";
import { FAULTS, faultsNamed, leftOut, suite, tours } from "./catalogue.ts";
import { apart } from "./fault.ts";

const able = FAULTS.filter(({ name }) => !leftOut().has(name)).map(({ name }) => name);

test("the tours come to every fault that this machine can make, once", () => {
  const toured = tours(FAULTS).flatMap(({ faults }) => faults.map(({ name }) => name));
  expect(toured.sort()).toEqual([...able].sort());
});

test("no tour needs two kinds of ledger or of brokers at the same time", () => {
  for (const { faults } of tours(FAULTS)) {
    const needs = new Set(faults.flatMap((fault) => fault.needs ?? []));
    expect(needs.has("postgres") && needs.has("sqlite")).toBe(false);
    expect(needs.has("cluster") && needs.has("separate-brokers")).toBe(false);
    if (needs.has("alone")) expect(faults).toHaveLength(1);
  }
});

test("the suite has every fault alone, and mixes for both kinds of ledger", () => {
  const scenarios = suite();
  expect(scenarios.filter(({ faults }) => faults.length === 1).map(({ name }) => name)).toEqual(
    able,
  );
  const mixes = scenarios.filter(({ faults }) => faults.length > 1);
  expect(new Set(mixes.map(({ ledger }) => ledger))).toEqual(new Set(["sqlite", "postgres"]));
});

test.each([
  ["net-reset-broker", "broker-frozen", false],
  ["net-reset-broker", "redis-frozen", true],
  ["net-silent-redis", "net-silent-broker", false],
  ["worker-killed", "workers-killed-holding", false],
  ["worker-killed", "gateway-killed", true],
])("%s and %s happen at the same time: %p", (one, other, together) => {
  const [a, b] = faultsNamed([one, other]);
  if (!a || !b) throw new Error("no such fault");
  expect([apart(a, b), apart(b, a)]).toEqual([together, together]);
});
