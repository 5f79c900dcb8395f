// The verdict where operators read it on a terminal: `sluice top` and `sluice doctor`.
import { expect, test } from "bun:test";
import { figures } from "../core/domain/figures.ts";
import { FINDINGS, type Finding, type FindingCode } from "../core/domain/finding.ts";
import { overviewOf } from "../core/domain/test-reports.ts";
import { verdictFindings } from "./doctor/verdict.ts";
import { topLines } from "./top-lines.ts";

const NOW_MS = 1_000_000;

function finding(code: FindingCode, what: string, sinceMs: number | null): Finding {
  const { level, affects, next } = FINDINGS[code];
  return { code, level, subject: "", what, affects, next, sinceMs, anchor: "" };
}

const FOUND = [
  finding("halted", "everything is halted: \u001b[2J", NOW_MS - 125_000),
  finding("dead_letters", "3 dead letters in payments.dead of eu", null),
  finding("no_route", "category 'art' of sale demo has no route", null),
  finding("slowed", "worker-1 is slowed: Redis is slow", NOW_MS - 5_000),
  finding("no_sale", "no sale is open or to come", null),
];

test("top names each finding with its age and what to do next, and how many are left out", () => {
  const now = {
    ...overviewOf({ atMs: NOW_MS }),
    verdict: { level: "trouble" as const, findings: FOUND },
  };
  const [head, ...rest] = topLines(figures(undefined, now), now, 200, false);
  expect(head).toBe("Sluice   Trouble");
  expect(rest.slice(0, 2)).toEqual(
    ["  everything is halted: [2J (for 2 min)", `    → ${FINDINGS.halted.next}`].map((line) =>
      line.slice(0, 200),
    ),
  );
  expect(rest.slice(8, 9)).toEqual(["  … and 1 more"]);
  const well = { ...now, verdict: { level: "ok" as const, findings: [] } };
  expect(topLines(figures(undefined, well), well, 200, false).slice(0, 2)).toEqual([
    "Sluice   All is well",
    "",
  ]);
});

test("top shows all of what to do next, and no zero for letters that nobody counted", () => {
  const asOf = { ...overviewOf().asOf, dead: null };
  const findings = [finding("halted", "everything is halted: it is behind", null)];
  const now = { ...overviewOf({ atMs: NOW_MS, asOf }), verdict: { level: "trouble", findings } };
  const lines = topLines(figures(undefined, now as never), now as never, 80, false);
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  const shown = lines.slice(2, lines.indexOf("")).map((line) => line.trim());
  expect(shown.join(" ")).toBe(`→ ${FINDINGS.halted.next}`);
  expect(lines.join()).toContain("dead letters –");
});

test("doctor fails for trouble, warns of what is due, and repeats no other check's finding", () => {
  const shown = verdictFindings({ level: "trouble", findings: FOUND }, NOW_MS);
  expect(shown.map(({ what, state }) => [what, state])).toEqual([
    ["halted", "fail"],
    ["dead letters", "warn"],
    ["slowed", "note"],
    ["no sale", "note"],
  ]);
  expect(shown[0]).toMatchObject({
    detail: expect.stringMatching(/^everything is halted.*, for 2 min; affects everybody/),
    fix: FINDINGS.halted.next,
  });
});

test("slowed roles share a line in top and doctor, with the causes and the oldest age", () => {
  const slowed = (id: string, why: string, sinceMs: number) => ({
    ...finding("slowed", `${id} is slowed: ${why}`, sinceMs),
    subject: id,
  });
  const findings = [
    finding("dead_letters", "3 dead letters in payments.dead of eu", null),
    slowed("worker-1", "Redis is slow", NOW_MS - 5_000),
    slowed("worker-2", "Redis is slow", NOW_MS - 61_000),
    finding("no_sale", "no sale is open or to come", null),
    slowed("payments-1", "it runs late", NOW_MS - 3_000),
  ];
  const ids = "worker-1, worker-2 and payments-1";
  const words = `3 roles are slowed (${ids}): Redis is slow and it runs late`;
  const shown = verdictFindings({ level: "warning", findings }, NOW_MS);
  expect(shown.map(({ what }) => what)).toEqual(["dead letters", "slowed", "no sale"]);
  expect(shown[1]?.detail).toStartWith(`${words}, for 1 min; `);
  const now = {
    ...overviewOf({ atMs: NOW_MS }),
    verdict: { level: "warning" as const, findings },
  };
  const lines = topLines(figures(undefined, now), now, 200, false);
  expect(lines.filter((line) => line.includes("slowed"))).toEqual([`  ${words} (for 1 min)`]);
});

test("top cuts a line at the screen's edge with an ellipsis, and only if it is longer", () => {
  const what = "x".repeat(30);
  const findings = [finding("no_sale", what, null)];
  const now = {
    ...overviewOf({ atMs: NOW_MS }),
    verdict: { level: "notice" as const, findings },
  };
  const line = (width: number) => topLines(figures(undefined, now), now, width, false)[1];
  expect(line(32)).toBe(`  ${what}`);
  expect(line(31)).toBe(`  ${"x".repeat(28)}…`);
});
