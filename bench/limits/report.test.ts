import { expect, test } from "bun:test";
import { limitsPage } from "./report.ts";
import type { LimitRow } from "./row.ts";

const ROW: LimitRow = {
  ...{ stage: "redis", what: "decide", together: 400, micros: 4.5 },
  ...{ floor: "XADD", floorMicros: 1.5 },
};

test("a stage stands beside its floor, and their ratio is what it costs more", () => {
  const page = limitsPage({ at: "2026-01-01", rows: [ROW], missing: {} }, "2 × CPU");
  expect(page).toContain("| redis | 400 | 4.50 | 1.50 | 3.0 | decide | XADD |");
  expect(page).not.toContain("Not measured");
});

test("a floor or a stage that is missing is never a zero", () => {
  const { floorMicros: _, ...row } = ROW;
  const missing = { http: "a program that it needs is not installed" };
  const page = limitsPage({ at: "2026-01-01", rows: [row], missing }, "2 × CPU");
  expect(page).toContain("| redis | 400 | 4.50 |  |  | decide | XADD |");
  expect(page).toContain("Not measured:\n\n- http: a program that it needs is not installed");
});
