import { expect, test } from "bun:test";
import { topLines } from "../../cli/top-lines.ts";
import { Histogram } from "../metrics/histogram.ts";
import { figures, Looks, quantile, verdictOf } from "./figures.ts";
import { FINDINGS, type FindingCode } from "./finding.ts";
import type { Overview } from "./overview.ts";
import type { GatewayReport, WorkerReport } from "./report.ts";
import { gatewayReport, overviewItem, overviewOf, workerReport } from "./test-reports.ts";
import { verdictOfFindings } from "./verdict.ts";

function look(
  atMs: number,
  done: number,
  change: {
    gateway?: Partial<GatewayReport>;
    worker?: Partial<WorkerReport>;
    overview?: Partial<Overview>;
  } = {},
): Overview {
  const outcome = new Histogram();
  outcome.observe(0.03, done);
  const gateway = gatewayReport({
    id: "eu.g",
    shards: [{ shard: 0, state: "open", pending: 7, limit: 5_000, waitMs: 0 }],
    rows: { confirmed: done, shed: 0, unconfirmed: 0 },
    refused: { shed: done / 2 },
    outcome: outcome.report(),
    ...change.gateway,
  });
  const worker = workerReport({
    id: "w1",
    steps: { paid: done / 10 },
    shards: [
      {
        shard: 0,
        load: 0,
        parked: 0,
        regions: [{ region: "eu", lagMs: 250, ready: 2, lookedAtMs: 1 }],
      },
    ],
    outcomes: { sold_out: done },
    ...change.worker,
  });
  const sale = { id: "s", name: "S", opensAtMs: 0, closesAtMs: 1, stockAsOfMs: 1, revenue: null };
  return overviewOf({
    atMs,
    owners: [{ shard: 0, worker: "w1" }],
    sales: [{ ...sale, items: [overviewItem({ name: "L" })] }],
    roles: [gateway, worker],
    ...change.overview,
  });
}

test("rates and quantiles come from the difference of two overviews", () => {
  const f = figures(look(1_000, 1_000), look(3_000, 2_000));
  expect(f).toMatchObject({
    acceptedPerS: 500,
    decidedPerS: 500,
    refusedPerS: 250,
    paidPerS: 50,
    pending: 7,
    worstLagMs: 250,
    available: 4,
    total: 10,
  });
  expect(f.refusedByReason).toEqual([["shed", 250]]);
  expect(f.outcomeP99Ms).toBeWithin(20, 51);
});

test("a process that restarts between overviews is not counted twice or below zero", () => {
  const after = look(2_000, 10, { gateway: { id: "eu.other" }, worker: { id: "w2" } });
  expect(figures(look(1_000, 1_000), after)).toMatchObject({
    acceptedPerS: 0,
    decidedPerS: 0,
    refusedPerS: 0,
  });
});

test("quantiles are interpolated between bounds; without counts there are none", () => {
  expect(quantile({ bounds: [1, 2, 4], counts: [50, 50, 0, 0], sum: 0 }, 0.5)).toBe(1);
  expect(quantile({ bounds: [1, 2, 4], counts: [0, 100, 0, 0], sum: 0 }, 0.5)).toBe(1.5);
  expect(quantile({ bounds: [1, 2, 4], counts: [0, 0, 0, 5], sum: 0 }, 0.99)).toBe(4);
  expect(quantile({ bounds: [1], counts: [0, 0], sum: 0 }, 0.5)).toBeNaN();
});

test("the verdict in a line has the most serious findings alone; a notice is no trouble", () => {
  const line = (...codes: FindingCode[]) => {
    const findings = codes.map((code) => ({
      ...{ code, level: FINDINGS[code].level, subject: "", what: code, affects: "", next: "" },
      ...{ sinceMs: null, anchor: "" },
    }));
    return verdictOf(look(0, 1, { overview: { verdict: verdictOfFindings(findings) } }));
  };
  expect(line()).toEqual({ level: "ok", words: "All is well" });
  expect(line("no_sale")).toEqual({ level: "ok", words: "no_sale" });
  expect(line("dead_letters", "slowed")).toEqual({ level: "pressure", words: "dead_letters" });
  expect(line("redis_away", "no_worker", "dead_letters")).toEqual({
    level: "trouble",
    words: "redis_away; no_worker",
  });
});

test("top shows a gateway of an earlier release, which does not say where it publishes", () => {
  const { publishing: _, ...old } = gatewayReport({ id: "eu.old" });
  const now = look(1_000, 1_000, { overview: { roles: [old as GatewayReport] } });
  const lines = topLines(figures(undefined, now), now, 80, false);
  expect(lines.find((line) => line.startsWith("eu.old"))).toEndWith("up");
});

test("top shows the same figures in lines no wider than the terminal", () => {
  const now = look(3_000, 2_000);
  const lines = topLines(figures(look(1_000, 1_000), now), now, 80, false);
  expect(lines.every((line) => line.length <= 80)).toBe(true);
  const text = lines.join("\n");
  expect(text).toContain("All is well");
  expect(text).toContain("in 500/s   decided 500/s");
  expect(text).toMatch(/lamp +4 +1 +5 +██/);
  expect(topLines(figures(undefined, now), now, 80, true).join("")).toContain(
    "\x1b[32mAll is well",
  );
});

test("top on a narrow terminal has every figure, in more lines", () => {
  const now = look(3_000, 2_000);
  const text = topLines(figures(look(1_000, 1_000), now), now, 44, false).join("\n");
  for (const name of ["in", "decided", "paid", "retries", "dead letters", "pending", "worst lag"])
    expect(text).toMatch(new RegExp(`(^|   )${name} \\S`, "m"));
});

test("rates cover some seconds, so a late report causes neither a gap nor a peak", () => {
  const looks = new Looks();
  const rates: number[] = [];
  for (let second = 0; second <= 20; second++) {
    // Reported every other second: the count of two seconds arrives in one.
    const now = look(1_000 + second * 1_000, 1_000 * (second - (second % 2)));
    const before = looks.before(now);
    if (second >= 6) rates.push(figures(before, now).acceptedPerS);
  }
  expect(Math.min(...rates)).toBeGreaterThanOrEqual(1_000);
  expect(Math.max(...rates)).toBeLessThanOrEqual(1_500);
});

test("after a long silence, rates are not compared with older overviews", () => {
  const looks = new Looks();
  for (let second = 0; second < 10; second++) looks.before(look(second * 1_000, 0));
  expect(looks.before(look(100_000, 0))?.atMs).toBe(9_000);
});

test("a clock that was set back starts afresh, and nothing piles up until it has caught up", () => {
  const looks = new Looks();
  const atMs = (second: number) => (second < 10 ? 3_600_000 : 0) + second * 1_000;
  const before = Array.from({ length: 20 }, (_, s) => looks.before(look(atMs(s), 0))?.atMs);
  expect(before.slice(10)).toEqual([
    ...[undefined, 10_000, 10_000, 10_000, 10_000, 11_000, 12_000, 13_000, 14_000, 15_000],
  ]);
});

test("top's lines are cut to the width without colours; no name moves the cursor", () => {
  const now = look(2_000, 2_000, { worker: { id: `w\x1b[2J\r\n${"x".repeat(40)}` } });
  for (const colours of [true, false])
    for (const width of [10, 40, 200]) {
      for (const line of topLines(figures(look(1_000, 1_000), now), now, width, colours)) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
        const seen = line.replaceAll(/\x1b\[\d+m/g, "");
        expect([...seen].length).toBeLessThanOrEqual(width);
        expect(seen).not.toMatch(/\p{Cc}/u);
      }
    }
});
