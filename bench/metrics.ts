// What metrics cost: counting on the path of orders, and a scrape, which runs on the same core.
// Prints Markdown.
//
//   bun bench/metrics.ts
//
// Counts as the roles do, in batches of one order (idle system) and of 200 (flood). The best of
// several rounds, because other work on the machine only adds time.
import { Counts } from "../consumers/orders/counts.ts";
import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import type { WorkerReport } from "../core/domain/report.ts";
import { tallyOf } from "../core/domain/words.ts";
import { Histogram } from "../core/metrics/histogram.ts";
import { metricsOf } from "../core/metrics/metrics.ts";
import { Self } from "../core/metrics/self.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { Counters } from "../gateway/intake/counters.ts";

const ROUNDS = 7;
const ORDERS = 2_000_000;
const SCRAPES = 200;
const SHARDS = 8;
const TIMES = 4_096;

/** Seconds as measured under load, from 0.1 ms to half a minute, unordered. */
const times = Float64Array.from(
  { length: TIMES },
  (_, i) => 10 ** (-4 + ((i * 2_654_435_761) % TIMES) / 750),
);

/** ns per order; `count` counts a batch of this size. */
function perOrder(batch: number, count: (seconds: number) => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = realRuntime.monotonicMs();
    // A cast, since a check would distort the measurement.
    for (let i = 0; i < ORDERS / batch; i++) count(times[i % TIMES] as number);
    best = Math.min(best, realRuntime.monotonicMs() - startedMs);
  }
  return (best * 1e6) / ORDERS;
}

/** The batch's admission and confirm, then its outcome. */
function gateway(batch: number): number {
  const counters = new Counters();
  return perOrder(batch, (seconds) => {
    counters.settled("confirmed", batch, seconds);
    counters.outcome.observe(seconds, batch);
  });
}

/** Redis's call, each order's outcome, the commit, and the time since acceptance. */
function worker(batch: number): number {
  const counts = new Counts();
  const outcomes = Array.from({ length: batch }, (_, i) =>
    i % 10 === 0 ? "reserved" : "sold_out",
  ).join(",");
  const entry = { messages: [{ outcomes }], released: [], steps: [] } as unknown as Entry;
  return perOrder(batch, (seconds) => {
    counts.batch.observe(batch);
    counts.decide.observe(seconds);
    counts.entry(entry, tallyOf(entry.messages));
    counts.commit.observe(seconds);
    counts.recorded.observe(seconds, batch);
  });
}

/** For a worker that owns all shards and has counted: ms, and bytes of text. */
async function scrape(): Promise<{ medianMs: number; bytes: number }> {
  const counts = new Counts();
  for (const seconds of times)
    for (const histogram of [counts.decide, counts.commit, counts.recorded])
      histogram.observe(seconds);
  for (const outcome of ["reserved", "sold_out", "parked", "over_limit", "cancelled"])
    counts.outcomes[outcome] = 1_000;
  const self = new Self(realRuntime, "worker-1");
  const metrics = metricsOf({
    runtime: realRuntime,
    report: (): WorkerReport => ({
      ...{
        kind: "worker",
        ...self.report(),
        state: "running",
        ledger: "up",
        brokers: [],
        unrecorded: 0,
        ...counts.report(),
      },
      governor: {
        state: "running",
        level: 0,
        reasons: [],
        signals: { redis_ms: 1 },
        transitions: { running: 0, slowed: 0, paused: 0 },
        eased: {},
      },
      shards: Array.from({ length: SHARDS }, (_, shard) => ({
        shard,
        load: 0,
        parked: 0,
        regions: [{ region: "eu", lagMs: 0, ready: 0, lookedAtMs: 1 }],
      })),
    }),
  });
  const took: number[] = [];
  let bytes = 0;
  for (let i = 0; i < SCRAPES; i++) {
    const startedMs = realRuntime.monotonicMs();
    bytes = (await metrics.page()).text.length;
    took.push(realRuntime.monotonicMs() - startedMs);
  }
  self.stop();
  return {
    medianMs: at(
      took.toSorted((a, b) => a - b),
      SCRAPES / 2,
    ),
    bytes,
  };
}

const histogram = new Histogram();
const rows: [what: string, figure: string][] = [
  [
    "one observation of a histogram",
    `${perOrder(1, (seconds) => histogram.observe(seconds)).toFixed(1)} ns`,
  ],
  ...[1, 200].flatMap((batch): [string, string][] => [
    [`a gateway's counting, per order, ${batch} per batch`, `${gateway(batch).toFixed(1)} ns`],
    [`a worker's counting, per order, ${batch} per batch`, `${worker(batch).toFixed(1)} ns`],
  ]),
];
const { medianMs, bytes } = await scrape();
rows.push([
  `a scrape of a worker with ${SHARDS} shards, median of ${SCRAPES}`,
  `${medianMs.toFixed(2)} ms, ${(bytes / 1_024).toFixed(0)} KiB`,
]);
console.log(
  "# What metrics cost\n\n| what | cost |\n|---|---|\n" +
    rows.map(([what, figure]) => `| ${what} | ${figure} |`).join("\n"),
);
