// The fault runner: a short mix passes, and workers with a rule disabled make the same mix fail.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { faultsNamed } from "../proof/chaos/catalogue.ts";
import { failuresOf } from "../proof/chaos/report.ts";
import type { ScenarioResult } from "../proof/chaos/runner.ts";
import { Suite } from "../proof/chaos/suite.ts";
import { testDir } from "./services.ts";

const LIMIT_MS = 240_000;
/** Orders behind a lost number wait until their gap is given up. */
const MUTANT_LIMIT_MS = 900_000;
const MUTANT_CLI = join(import.meta.dir, "mutants", "cli.ts");

async function shortMix(faults: readonly string[], more: { cli?: string; env?: object } = {}) {
  const results = await new Suite({
    scenarios: [{ name: "short", faults: faultsNamed(faults), atOnce: 2 }],
    dir: testDir("chaos", 0o755),
    seed: 5,
    seconds: 3,
    perSecond: 200,
    independent: false,
    say: (line) => {
      if (process.env.SHOW_LOG) process.stderr.write(`${line}\n`);
    },
    onResult: () => undefined,
    ...(more as object),
  }).run();
  expect(results).toHaveLength(1);
  return results[0] as ScenarioResult;
}

test(
  "with workers and a gateway killed, clients lose nothing, and each fault has evidence",
  async () => {
    const result = await shortMix(["workers-killed-holding", "gateway-killed"]);
    expect(failuresOf(result)).toEqual([]);
    const struck = new Set(result.struck.map(({ fault }) => fault));
    expect(struck).toEqual(new Set(["workers-killed-holding", "gateway-killed"]));
    for (const { evidence, recoveryMs } of result.struck) {
      expect(evidence).not.toBeUndefined();
      expect(recoveryMs).toBeGreaterThanOrEqual(0);
    }
    expect(result.accepted).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

test.skipIf(!process.env.CHAOS_MUTANT)(
  "workers that acknowledge before they record lose orders, and the run fails",
  async () => {
    const env = { MUTANT: "early-ack" };
    const result = await shortMix(["workers-killed-holding"], { cli: MUTANT_CLI, env });
    expect(failuresOf(result).join("\n")).toContain("I1");
  },
  MUTANT_LIMIT_MS,
);
