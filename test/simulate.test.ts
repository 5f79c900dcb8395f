// The simulator in CI: kept seeds and a minute of fresh ones. planted.long.test.ts finds planted
// faults.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { realRuntime } from "../core/runtime/runtime.ts";
import { runOne, runSeeds } from "../proof/simulate/campaign.ts";
import { startJob } from "../proof/simulate/jobs.ts";
import { commandOf, type Kept } from "../proof/simulate/kept.ts";
import { MOMENTS, type Moment } from "../proof/simulate/moments.ts";
import { edited } from "../proof/simulate/plant.ts";
import { PLANTED } from "../proof/simulate/planted.ts";
import { SCENARIOS } from "../proof/simulate/profiles.ts";
import { openRig, type Rig } from "../proof/simulate/rig.ts";
import { drawSchedule, type Fault } from "../proof/simulate/schedule.ts";
import keptSeeds from "../proof/simulate/seeds.json";
import { shrink } from "../proof/simulate/shrink.ts";
import { simulate } from "../proof/simulate/simulation.ts";

const FRESH_MS = 60_000;
const FRESH_TIMEOUT_MS = 180_000;
const TIMEOUT_MS = 60_000;

let rig: Rig;
beforeAll(async () => {
  rig = await openRig();
});
afterAll(() => rig.close());

test.each(keptSeeds as readonly (Kept & { readonly why: string })[])(
  "seed $seed holds: $why",
  async (kept) => {
    expect((await runOne(rig, kept)).violations).toEqual([]);
  },
  TIMEOUT_MS,
);

test.each(["anything", "owners change", "Redis suffers while it is loaded"] as const)(
  "the same seed does the same twice, and another seed something else: %s",
  async (scenario) => {
    const [first, second, other] = [
      await runOne(rig, { seed: 11, scenario }),
      await runOne(rig, { seed: 11, scenario }),
      await runOne(rig, { seed: 12, scenario }),
    ];
    expect(second.hash).toBe(first.hash);
    expect(second.steps).toBe(first.steps);
    expect(other.hash).not.toBe(first.hash);
  },
  TIMEOUT_MS,
);

test(
  "other processes, after other seeds, do the same as well",
  async () => {
    const jobs = [startJob(), startJob()];
    try {
      const tally = await runSeeds(
        jobs.map(({ run }) => run),
        { first: 30, seeds: 2, scenario: "crash after crash", mostFailed: 9 },
      );
      expect([tally.seeds, tally.next, tally.failed]).toEqual([2, 32, []]);
      expect(tally.crashes).toBeGreaterThan(20);
      const again = await runOne(rig, { seed: 31, scenario: "crash after crash" });
      const there = await jobs[0]?.run({ seed: 31, scenario: "crash after crash" });
      expect(there).toEqual(again);
    } finally {
      await Promise.all(jobs.map((job) => job.end()));
    }
  },
  FRESH_TIMEOUT_MS, // two processes start, and four seeds run that crash again and again
);

test(
  "every moment at which a fault can be placed comes",
  async () => {
    const now = { atMs: 0, who: 0, by: 0, forMs: 1_000 };
    const moments = (Object.keys(MOMENTS) as Moment[]).map((moment): Fault => {
      return { ...now, kind: "redrive", at: { moment, nth: 2, afterMs: 0 } };
    });
    const faults: Fault[] = [...moments, { ...now, atMs: 500, kind: "redis_wipe" }];
    const schedule = { ...drawSchedule(1, "owners change"), faults };
    const outcome = await simulate(schedule, rig);
    expect([outcome.violations, outcome.faults]).toEqual([[], faults.length]);
  },
  TIMEOUT_MS,
);

test(
  "a minute of fresh seeds holds",
  async () => {
    const first = Math.floor(realRuntime.random() * 2 ** 31);
    const here = [(kept: Kept) => runOne(rig, kept)];
    const tally = await runSeeds(here, { first, seeds: 2 ** 31, forMs: FRESH_MS });
    const { seeds, crashes, failed } = tally;
    console.log(`simulated ${seeds} seeds from ${first} on, with ${crashes} crashes`);
    const [lost] = failed;
    const again = lost && commandOf({ seed: lost.seed, scenario: lost.scenario });
    expect(lost ? [...lost.violations, `replay with: ${again}`] : []).toEqual([]);
    expect(crashes).toBeGreaterThan(0);
  },
  FRESH_TIMEOUT_MS,
);

test("every planted fault still fits the code, and names a rule of its own", () => {
  expect(PLANTED.length).toBeGreaterThanOrEqual(20);
  expect(new Set(PLANTED.map(({ name }) => name)).size).toBe(PLANTED.length);
  for (const { edits } of PLANTED) {
    expect(edits.length).toBeGreaterThan(0);
    for (const { file, from, to } of edits) {
      const text = readFileSync(file, "utf8");
      expect(edited(text, file, from, to)).not.toBe(text);
    }
  }
});

test("a schedule shrinks to what its failure needs", async () => {
  const size = { faults: 9, actions: 30 };
  let runs = 0;
  const kept = await shrink(5, size, ["I5 oversold: lamp"], {
    most: 500,
    run: async ({ faults = [], actions = [] }) => {
      runs++;
      const fails = faults.includes(4) && actions.includes(7) && actions.includes(21);
      return fails ? ["I5 oversold: radio"] : ["I1 something else: x"];
    },
  });
  expect(kept).toEqual({ seed: 5, faults: [4], actions: [7, 21] });
  expect(runs).toBeLessThan(100);
});

test("a schedule is drawn from its seed alone", () => {
  expect(drawSchedule(3)).toEqual(drawSchedule(3));
  expect(drawSchedule(3)).not.toEqual(drawSchedule(4));
});

test("seeds concentrate on every scenario", () => {
  const drawn = new Set(Array.from({ length: 400 }, (_, seed) => drawSchedule(seed).scenario));
  expect(SCENARIOS.filter((one) => !drawn.has(one))).toEqual([]);
});
