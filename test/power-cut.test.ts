// A power cut in the middle of a rush. POWER_CUT=every cuts off every byte of the last entries of
// Redis's file and of the last frames of SQLite's WAL, and recovers from many pairs of states; the
// usual run takes a sample of each.
import { expect, test } from "bun:test";
import { makeLog } from "../cli/log.ts";
import { startPayments } from "../cli/roles/payments.ts";
import { startWorker } from "../cli/roles/worker.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { powerCut } from "../proof/chaos/power-cut/power-cut.ts";
import type { StartRole } from "../proof/chaos/power-cut/recover.ts";
import { testDir, testRabbit } from "./services.ts";

const every = process.env.POWER_CUT === "every";
const SIZES = every
  ? {
      ...{ orders: 600, recoveries: 120 },
      lastBytes: { aof: 8_192, wal: 3 * 4_120 },
      spread: { aof: 400, wal: 400 },
    }
  : {
      ...{ orders: 100, recoveries: 4 },
      lastBytes: { aof: 12, wal: 12 },
      spread: { aof: 18, wal: 40 },
    };
const LIMIT_MS = every ? 3_600_000 : 180_000;

const starter =
  (start: typeof startWorker | typeof startPayments, name: string): StartRole =>
  (env, onEvent) => {
    const log = makeLog(name, (line) => {
      if (process.env.SHOW_LOG) process.stderr.write(line);
      onEvent((JSON.parse(line) as { event: string }).event);
    });
    return start(realRuntime, readSettings(env), name, log);
  };

test(
  "after a power cut anywhere in the files' tails, nothing is lost, or everything halts",
  async () => {
    const rabbit = await testRabbit();
    const report = await powerCut({
      ...SIZES,
      dir: testDir("power-cut"),
      brokerUrl: await rabbit.freshVhost(),
      seed: Number(process.env.POWER_CUT_SEED ?? 1),
      starters: {
        worker: starter(startWorker, "worker"),
        payments: starter(startPayments, "payments"),
      },
      say: (line) => {
        if (process.env.SHOW_LOG)
          process.stderr.write(`${Math.round(performance.now())} ${line}\n`);
      },
    });
    expect(report.problems).toEqual([]);
    const outcomes = new Set(report.recovered.map(({ outcome }) => outcome));
    expect([...outcomes].sort()).toEqual(["continued", "halted", "rebuilt"]);
    expect(report.refused).toBeGreaterThan(0);
    expect(report.states.aof).toBeGreaterThan(1);
    expect(report.states.wal).toBeGreaterThan(1);
  },
  LIMIT_MS,
);
