// A minute's counts where processes end, start and come back.
import { expect, test } from "bun:test";
import { MinuteTally } from "./minute-tally.ts";
import type { RoleReport } from "./report.ts";
import { gatewayReport, workerReport } from "./test-reports.ts";

let cpuSeconds = 0;
/** Each of these is a report of its own. */
const worker = (id: string, reserved: number, sinceMs = 0) =>
  workerReport({ id, sinceMs, outcomes: { reserved }, cpuSeconds: ++cpuSeconds });
const gateway = (confirmed: number) =>
  gatewayReport({ rows: { confirmed, shed: 0, unconfirmed: 0 }, cpuSeconds: ++cpuSeconds });

function minutes() {
  const tally = new MinuteTally();
  const look = (second: number, ...roles: RoleReport[]) =>
    tally.look({ atMs: 1_000_000 + 1_000 * second, roles });
  return { look, take: () => tally.take() };
}

test("what a killed worker reported counts, and its successor's orders do from the first", () => {
  const { look, take } = minutes();
  look(0, gateway(100), worker("worker-1", 50));
  look(20, gateway(118), worker("worker-1", 58));
  look(40, gateway(118), worker("worker-2", 5, 1_030_000));
  look(60, gateway(120), worker("worker-2", 7, 1_030_000));
  expect(take()).toMatchObject({ accepted: 20, decided: { reserved: 15 }, incomplete: true });
  look(120, gateway(121), worker("worker-2", 8, 1_030_000));
  expect(take()).toMatchObject({ accepted: 1, decided: { reserved: 1 }, incomplete: false });
});

test("a worker that is listed but silent makes the minute incomplete that it ended in", () => {
  const { look, take } = minutes();
  const last = worker("worker-1", 50);
  look(0, last);
  look(50, worker("worker-1", 52));
  const silent = worker("worker-1", 53);
  look(56, silent);
  look(58, silent);
  look(60, silent);
  expect(take()).toMatchObject({ decided: { reserved: 3 }, incomplete: true });
  look(62, silent);
  look(120);
  expect(take()).toMatchObject({ decided: {}, incomplete: false });
});

test("a frozen worker that comes back is counted on, and one that nobody knew from then", () => {
  const { look, take } = minutes();
  look(0, worker("worker-1", 10));
  look(30);
  look(60, worker("worker-1", 12), worker("worker-9", 900));
  expect(take()).toMatchObject({ decided: { reserved: 2 }, incomplete: false });
  look(120, worker("worker-1", 12), worker("worker-9", 901));
  expect(take()).toMatchObject({ decided: { reserved: 1 } });
});
