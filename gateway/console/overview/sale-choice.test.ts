// Which sale the overview shows.
import { expect, test } from "bun:test";
import { chosen, listOf, type Shown } from "./sale-choice.ts";

const NOW_MS = 1_000;
const sale = (id: string, unitsPerS: number | null, opensAtMs = 0, closesAtMs = 9_000): Shown => ({
  ...{ id, opensAtMs, closesAtMs },
  items: [{ unitsPerS }],
});
const shown = (
  sales: readonly Shown[],
  { wanted, last }: { wanted?: string; last?: string } = {},
) => chosen(listOf(sales, NOW_MS), { wanted, last, nowMs: NOW_MS })?.id;

test("the open sale that sells most is shown, not the one that opened last", () => {
  const quiet = sale("quiet", 0, 900);
  expect(shown([quiet, sale("slow", 1), sale("fast", 60)])).toBe("fast");
  expect(shown([quiet, sale("slow", 0)])).toBe("quiet");
});

test("it stays while it sells, and gives way when it no longer does", () => {
  const [fast, slow] = [sale("fast", 60), sale("slow", 1)];
  expect(shown([fast, slow], { last: "slow" })).toBe("slow");
  expect(shown([fast, sale("slow", 0)], { last: "slow" })).toBe("fast");
  expect(shown([sale("fast", 0), sale("slow", 0, 900)], { last: "fast" })).toBe("fast");
  expect(shown([fast, sale("slow", null)], { last: "slow" })).toBe("slow");
});

test("whoever has chosen a sale sees that one; a sale to come is shown where none is open", () => {
  const next = sale("next", null, 2_000);
  expect(shown([sale("fast", 60), next], { wanted: "next" })).toBe("next");
  expect(shown([next, sale("past", 0, 0, 500)])).toBe("next");
});
