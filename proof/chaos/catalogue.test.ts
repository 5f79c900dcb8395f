// The scenarios that are made of the faults.
import { expect, test } from "bun:test";
import { FAULTS, leftOut, suite, tours } from "./catalogue.ts";

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
