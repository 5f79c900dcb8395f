// What flickers is no finding; what lasts is, with the time at which it began.
import { expect, test } from "bun:test";
import { overviewOf } from "../../core/domain/test-reports.ts";
import { verdict } from "../../core/domain/verdict.ts";
import { Standing } from "./standing.ts";

const LIMITS = { rateMaxAgeMs: 60_000 };
const WELL = verdict(overviewOf(), LIMITS);
const unowned = verdict(overviewOf({ owners: [] }), LIMITS);

function rig() {
  let nowMs = 0;
  const standing = new Standing(() => nowMs);
  return (ms: number, seen = unowned) => {
    nowMs = ms;
    return standing.of(seen).findings.map(({ code }) => code);
  };
}

test("a shard that moves has no owner for a moment, which is not reported", () => {
  const at = rig();
  expect(at(0)).toEqual([]);
  expect(at(1_900)).toEqual([]);
  expect(at(2_000)).toEqual(["shards_without_owner"]);
  expect(at(2_500, WELL)).toEqual([]);
  expect(standingLevel()).toBe("ok");
});

test("one look without it does not start it again; two seconds without it do", () => {
  const at = rig();
  at(0);
  at(1_000, WELL);
  expect(at(2_000)).toEqual(["shards_without_owner"]);
  at(3_000, WELL);
  at(5_000, WELL);
  expect(at(6_000)).toEqual([]);
});

test("looks that are far apart count too, and what does not flicker is a finding at once", () => {
  const at = rig();
  expect(at(0)).toEqual([]);
  expect(at(4_000)).toEqual(["shards_without_owner"]);
  const halted = verdict(overviewOf({ halt: { reason: "behind", atMs: 7 } }), LIMITS);
  expect(at(4_500, halted)).toEqual(["halted"]);
});

function standingLevel() {
  return new Standing(() => 0).of(unowned).level;
}
