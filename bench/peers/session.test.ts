// Peers run between runs of Sluice, and are compared with those next to them.
import { expect, test } from "bun:test";
import { peersPage } from "./report.ts";
import { inTurns, type Planned, runInTurns } from "./session.ts";

function planned(title: string, ordersPerSecond: number): Planned {
  const isMeasure = title === "Sluice";
  return {
    title,
    of: isMeasure ? "sluice" : "peer",
    kind: "ledger",
    isMeasure,
    run: async () => ({
      ordersPerSecond,
      cpuMicros: { front: 1, redis: 2 },
      generatorMicros: 1,
      orders: 1,
      violations: title === "b" ? ["oversold: lamp"] : [],
    }),
  };
}

test("runs of Sluice stand before, after and between the peers", () => {
  const sluice = planned("Sluice", 100);
  const others = ["a", "b", "c"].map((title) => planned(title, 10));
  const titles = inTurns(sluice, others).map(({ title }) => title);
  expect(titles).toEqual(["Sluice", "a", "b", "Sluice", "c", "Sluice"]);
});

test("a ratio compares a peer with the runs of Sluice on both sides", async () => {
  const runs = [
    planned("Sluice", 100),
    planned("a", 50),
    planned("b", 300),
    planned("Sluice", 200),
  ];
  const rows = await runInTurns(
    [...runs, planned("c", 40), planned("Sluice", 400)],
    () => undefined,
  );
  expect(rows.map(({ sluiceRatio }) => sluiceRatio)).toEqual([1, 3, 0.5, 1, 7.5, 1]);
});

test("the page lists rates, ratios and broken rules", async () => {
  const rows = await runInTurns([planned("Sluice", 100), planned("b", 50)], () => undefined);
  const page = peersPage({ at: "today", seconds: 8, rows }, "2 × CPU");
  expect(page).toContain("| **Sluice** | 100 | 3.0 |  |");
  expect(page).toContain("| b | 50 | 3.0 | 2.00× |");
  expect(page).toContain("- b: oversold: lamp");
});
