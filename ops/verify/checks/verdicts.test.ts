import { expect, test } from "bun:test";
import { MAX_LANE } from "../../../core/domain/lane.ts";
import { Evidence, type LedgerOrder, orderKey } from "../evidence.ts";
import { Findings } from "../findings.ts";
import { checkVerdicts } from "./verdicts.ts";

const SALE = {
  id: "s1",
  currency: "EUR",
  opensAtMs: 0,
  closesAtMs: 9e12,
  moved: false,
};

/** What is found when a user has had this many orders reserved of an item without a limit, and one was turned away as over_limit. */
function findingsWith(reserved: number): unknown[] {
  const findings = new Findings();
  const evidence = new Evidence(() => true, findings);
  const add = (user: string, state: string) => {
    const id = Bun.randomUUIDv7();
    const order = {
      user,
      id,
      saleId: "s1",
      currency: "EUR",
      acceptedAtMs: 1,
      lines: [{ sku: "a", qty: 1 }],
      state,
      had: [state],
    };
    evidence.ledger.set(orderKey(user, id), order as unknown as LedgerOrder);
  };
  for (let i = 0; i < reserved; i++) add("ann", "reserved");
  for (let i = 0; i < MAX_LANE; i++) add("bob", "reserved");
  add("ann", "over_limit");
  const item = { sku: "a", limitPerUser: 0, restocked: 0, available: 9, priceMinor: 1 };
  const catalogue = { sales: new Map([["s1", SALE]]), items: new Map([["s1 a", item]]) };
  checkVerdicts(evidence, catalogue as never, findings);
  return findings.violations;
}

test("over_limit is explained by a lane that may have been full, and by no shorter one", () => {
  expect(findingsWith(MAX_LANE)).toEqual([]);
  expect(findingsWith(MAX_LANE - 1)).toHaveLength(1);
});
