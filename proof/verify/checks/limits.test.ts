// over_limit must be explained by a limit or by a lane that may have been full.
import { expect, test } from "bun:test";
import { MAX_LANE } from "../../../core/domain/lane.ts";
import { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";
import { Terms } from "../terms.ts";
import { LimitsCheck } from "./limits.ts";

/** The findings for a user with this many reserved orders and one refused as over_limit. */
function findingsWith(reserved: number): unknown[] {
  const findings = new Findings();
  const check = new LimitsCheck([], new Terms([], []), () => true, findings);
  const decided = (user: string, state: string) => ({
    row: { kind: "o", user, id: Bun.randomUUIDv7(), saleId: "s1", lines: [{ sku: "a", qty: 1 }] },
    effect: "fresh",
    state,
  });
  const entry = (n: number, rows: unknown[]) =>
    check.entry({ shard: 0, n, decided: rows, released: [], steps: [] } as unknown as DecodedEntry);
  entry(1, [
    ...Array.from({ length: reserved }, () => decided("ann", "reserved")),
    ...Array.from({ length: MAX_LANE }, () => decided("bob", "reserved")),
  ]);
  entry(2, [decided("ann", "over_limit")]);
  return findings.violations;
}

test("over_limit is explained by a lane that may have been full, not by a shorter one", () => {
  expect(findingsWith(MAX_LANE)).toEqual([]);
  expect(findingsWith(MAX_LANE - 1)).toHaveLength(1);
});
