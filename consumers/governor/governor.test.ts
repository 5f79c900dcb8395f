import { expect, test } from "bun:test";
import { Governor, SAMPLE_MS } from "./governor.ts";

const thresholds = {
  redis_ms: { slow: 100, pause: 1_000 },
  ledger_ms: { slow: 100, pause: 1_000 },
  cpu_others_percent: { slow: 70, pause: 90 },
};

class Rig {
  nowMs = 0;
  readonly changes: string[] = [];
  readonly governor = new Governor({
    thresholds,
    onChange: ({ state, level }) => void this.changes.push(`${state} ${level}`),
  });

  sample(signals: Record<string, number>, times = 1): void {
    for (let i = 0; i < times; i++) {
      this.nowMs += SAMPLE_MS;
      this.governor.sample(signals, this.nowMs);
    }
  }

  /** Counts the samples until the state changes. */
  until(signals: Record<string, number>): number {
    const before = this.changes.length;
    for (let samples = 1; samples <= 200; samples++) {
      this.sample(signals);
      if (this.changes.length > before) return samples;
    }
    return Number.POSITIVE_INFINITY;
  }
}

const CALM = { redis_ms: 10, ledger_ms: 10 };
const SLOW = { redis_ms: 100, ledger_ms: 10 };
const BAD = { redis_ms: 10, ledger_ms: 1_000 };

test("running → slowed after three samples over the threshold; each level halves the batch", () => {
  const rig = new Rig();
  expect(rig.until(SLOW)).toBe(3);
  expect(rig.governor.report()).toMatchObject({
    state: "slowed",
    level: 1,
    reasons: ["redis_ms"],
    transitions: { slowed: 1 },
  });
  expect([rig.governor.batchShare, rig.governor.restMs(10)]).toEqual([1 / 2, 10]);
  expect(rig.until(SLOW)).toBe(3);
  expect([rig.governor.batchShare, rig.governor.restMs(10)]).toEqual([1 / 4, 30]);
  expect(rig.until(SLOW)).toBe(3);
  expect([rig.governor.batchShare, rig.governor.restMs(10)]).toEqual([1 / 8, 70]);
  expect(rig.until(SLOW)).toBe(Number.POSITIVE_INFINITY);
  expect(rig.changes).toEqual(["slowed 1", "slowed 2", "slowed 3"]);
});

test("the last worker that decides goes on, slowly, beside busy neighbours, and only then", () => {
  const rig = new Rig();
  const busy = { cpu_others_percent: 95 };
  rig.sample(busy, 20);
  expect([rig.governor.paused, rig.governor.batchShare]).toEqual([true, 1 / 8]);
  rig.governor.decidesAlone(true);
  const { governor } = rig;
  expect([governor.paused, governor.batchShare, governor.restMs(10)]).toEqual([false, 1 / 8, 70]);
  expect(governor.report()).toMatchObject({ state: "slowed", level: 3 });
  rig.sample({ ...busy, ...BAD }, 1); // it would harm the ledger
  expect(governor.paused).toBe(true);
  rig.sample(busy, 1);
  expect(governor.paused).toBe(false);
  governor.byHand("ann");
  expect(governor.paused).toBe(true);
  governor.byHand(undefined);
  governor.decidesAlone(false); // another decides again
  expect(governor.paused).toBe(true);
});

test("two bad samples, or bad ones with good ones between, change nothing", () => {
  const rig = new Rig();
  for (let i = 0; i < 20; i++) {
    rig.sample(SLOW, 2);
    rig.sample(CALM);
  }
  expect(rig.changes).toEqual([]);
  expect([rig.governor.batchShare, rig.governor.restMs(10)]).toEqual([1, 0]);
});

test("slowed → running after four samples below 70% of the threshold; at 70% it stays", () => {
  const rig = new Rig();
  rig.sample(SLOW, 3);
  expect(rig.until({ redis_ms: 70, ledger_ms: 0 })).toBe(Number.POSITIVE_INFINITY);
  expect(rig.until({ redis_ms: 69, ledger_ms: 0 })).toBe(4);
  expect(rig.governor.report()).toMatchObject({
    state: "running",
    level: 0,
    reasons: [],
    transitions: { running: 1 },
  });
});

test("→ paused after six samples over the second threshold; → slowed after the pause", () => {
  const rig = new Rig();
  rig.sample(BAD, 5);
  expect(rig.governor.paused).toBe(false);
  rig.sample(BAD);
  expect(rig.governor.paused).toBe(true);
  const pausedAtMs = rig.nowMs;
  expect(rig.governor.report()).toMatchObject({
    state: "paused",
    level: 4,
    reasons: ["ledger_ms"],
  });
  while (rig.governor.paused) rig.sample(CALM);
  expect(rig.nowMs - pausedAtMs).toBe(3_000);
  expect(rig.governor.state).toBe("slowed");
  while (rig.governor.state !== "running") rig.sample(CALM);
  expect(rig.changes.at(-1)).toBe("running 0");
});

test("a pause that recurs soon lasts twice as long, up to 30 s; a quiet minute resets it", () => {
  const rig = new Rig();
  const pause = () => {
    while (!rig.governor.paused) rig.sample(BAD);
    const from = rig.nowMs;
    while (rig.governor.paused) rig.sample(CALM);
    return rig.nowMs - from;
  };
  expect([pause(), pause(), pause(), pause(), pause(), pause()]).toEqual([
    3_000, 6_000, 12_000, 24_000, 30_000, 30_000,
  ]);
  rig.sample(CALM, 60_000 / SAMPLE_MS);
  expect(pause()).toBe(3_000);
});

test("a manual pause takes effect at once; after resuming, the signals decide again", () => {
  const rig = new Rig();
  rig.governor.byHand("ann");
  expect(rig.governor.report()).toMatchObject({ state: "paused", level: 4, reasons: ["operator"] });
  rig.sample(CALM, 100);
  expect(rig.governor.paused).toBe(true);
  rig.sample(SLOW, 3);
  rig.governor.byHand(undefined);
  expect(rig.governor.report()).toMatchObject({ state: "slowed", level: 1, reasons: ["redis_ms"] });
  rig.governor.byHand(undefined);
  expect(rig.changes).toEqual(["paused 4", "paused 4", "slowed 1"]);
});

test("a signal without a threshold is shown and changes nothing", () => {
  const rig = new Rig();
  rig.sample({ ...CALM, cpu_pressure_percent: 100 }, 20);
  expect(rig.changes).toEqual([]);
  expect(rig.governor.report().signals.cpu_pressure_percent).toBe(100);
});
