import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { at } from "../domain/at.ts";
import type { Overview } from "../domain/overview.ts";
import type { RoleReport, WorkerReport } from "../domain/report.ts";
import { overviewItem, overviewOf } from "../domain/test-reports.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { familiesOf } from "./families.ts";
import type { Family } from "./family.ts";
import { Histogram } from "./histogram.ts";
import { metricsOf } from "./metrics.ts";
import { MAX_ITEMS, STORES } from "./stock.ts";

const times = new Histogram();
times.observe(0.0004, 3);
times.observe(0.7, 2);
times.observe(99);
const process = {
  id: "worker-1",
  host: "h",
  pid: 1,
  sinceMs: 1_000,
  rssBytes: 2_048,
  cpuSeconds: 1.5,
  loopDelayMs: 20,
  ignored: { push: 2 },
};
const worker: WorkerReport = {
  ...process,
  kind: "worker",
  state: "running",
  governor: {
    state: "slowed",
    level: 2,
    reasons: ["redis_ms"],
    signals: { redis_ms: 7 },
    transitions: { running: 0, slowed: 1, paused: 0 },
    eased: { redis_ms: 3 },
  },
  ledger: "up",
  brokers: [
    { region: "eu", state: "up" },
    { region: "us", state: "away" },
  ],
  shards: [
    {
      shard: 3,
      load: 4,
      parked: 1,
      regions: [{ region: "eu", lagMs: 1_500, ready: 12, lookedAtMs: 1 }],
    },
  ],
  unrecorded: 2,
  outcomes: { reserved: 5, sold_out: 9 },
  steps: { paid: 4 },
  retries: 1,
  deadLettered: 0,
  followUps: 6,
  rebuilds: 0,
  rebuildsFailed: 0,
  dead: [{ queue: "payments.dead", region: "eu", messages: 3 }],
  batch: times.report(),
  decide: times.report(),
  commit: times.report(),
  recorded: times.report(),
};

const overview = (items: number): Overview =>
  overviewOf({
    redis: { state: "up", usedBytes: 10, maxBytes: 100 },
    shardCount: 8,
    owners: [],
    roles: [],
    sales: [
      {
        ...{ id: "spring", name: "Spring", opensAtMs: 0, closesAtMs: 1 },
        ...{ stockAsOfMs: 1, revenue: null },
        items: Array.from({ length: items }, (_, i) =>
          overviewItem({
            ...{ sku: `sku-${i}`, name: "x", total: 4 },
            ...{ available: 1, releasing: 1, held: 1, sold: 1 },
          }),
        ),
      },
    ],
  });

const { version } = await Bun.file(join(import.meta.dir, "..", "..", "package.json")).json();

/** The text for a reader that asks for nothing special. */
const textOf = async (options: Omit<Parameters<typeof metricsOf>[0], "runtime" | "report">) =>
  (await metricsOf({ runtime: realRuntime, report: () => worker, ...options }).page()).text;

test("a worker's report becomes metrics: counters, gauges, cumulative histograms", async () => {
  const text = await textOf({});
  for (const line of [
    'sluice_orders_decided_total{outcome="sold_out",role="worker"} 9',
    'sluice_queue_lag_seconds{shard="3",region="eu",role="worker"} 1.5',
    'sluice_queue_messages{shard="3",region="eu",role="worker"} 12',
    'sluice_broker_up{region="us",role="worker"} 0',
    'sluice_governor_eased_total{reason="redis_ms",role="worker"} 3',
    'sluice_governor_state{state="slowed",role="worker"} 1',
    'sluice_governor_state{state="running",role="worker"} 0',
    'sluice_dead_letters{queue="payments.dead",region="eu",role="worker"} 3',
    'sluice_ignored_errors_total{what="push",role="worker"} 2',
    'sluice_commit_seconds_bucket{le="0.0005",role="worker"} 3',
    'sluice_commit_seconds_bucket{le="1",role="worker"} 5',
    'sluice_commit_seconds_bucket{le="+Inf",role="worker"} 6',
    'sluice_commit_seconds_count{role="worker"} 6',
    `sluice_build_info{version="${version}",role="worker"} 1`,
  ])
    expect(text.split("\n")).toContain(line);
});

test.each([
  [undefined, "text/plain"],
  ["*/*", "text/plain"],
  ["text/plain;version=0.0.4", "text/plain"],
  ["application/openmetrics-text;version=1.0.0;q=0, text/plain", "text/plain"],
  ["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2", "openmetrics"],
  ["Application/OpenMetrics-Text", "openmetrics"],
])("a reader with Accept %p receives %s", async (accept, expected) => {
  const metrics = metricsOf({ runtime: realRuntime, report: () => worker });
  const { contentType, text } = await metrics.page(accept);
  const open = expected === "openmetrics";
  expect(contentType).toContain(expected);
  expect(text.endsWith("# EOF\n")).toBe(open);
  // The older format names a counter with its suffix; OpenMetrics without.
  const name = open ? "sluice_orders_decided" : "sluice_orders_decided_total";
  expect(text.split("\n")).toContain(`# TYPE ${name} counter`);
  expect(text).toContain('\nsluice_orders_decided_total{outcome="sold_out",role="worker"} 9\n');
});

test("items beyond the first 200 are summed: catalogues cannot flood the metrics", async () => {
  const text = await textOf({ overview: async () => overview(MAX_ITEMS + 50) });
  expect(text.split("\n").filter((line) => line.startsWith("sluice_stock_units{"))).toHaveLength(
    (MAX_ITEMS + 1) * 4,
  );
  expect(text.split("\n")).toContain(
    'sluice_stock_units{sale="other",sku="other",state="sold",role="worker"} 50',
  );
});

test("unreachable stores leave their metrics out and fail no scrape", async () => {
  const text = await textOf({ overview: () => Promise.reject(new Error("away")) });
  expect(text).toContain("sluice_orders_decided_total");
  expect(text).not.toMatch(/^sluice_stock_units\{/m);
});

test("a hanging query delays no scrape; without Redis stock is unknown, not zero", async () => {
  const startedMs = performance.now();
  expect(await textOf({ overview: () => new Promise(() => undefined) })).toContain(
    "sluice_orders_decided_total",
  );
  expect(performance.now() - startedMs).toBeLessThan(2_000);
  const away = { ...overview(3), redis: { state: "away", usedBytes: 0, maxBytes: 0 } } as const;
  const text = await textOf({ overview: async () => away });
  expect(text.split("\n")).toContain('sluice_redis_up{role="worker"} 0');
  expect(text).not.toMatch(/^sluice_(stock_units|shards_owned)\{/m);
});

test("every metric that the alerts and the dashboard name is shown by some role", () => {
  const kinds: RoleReport["kind"][] = [
    "gateway",
    "worker",
    "payments",
    "fulfil",
    "rates",
    "sender",
  ];
  const families = [
    ...kinds.flatMap((kind) => [...familiesOf(kind)]),
    ...STORES,
  ] as Family<never>[];
  const known = new Set(
    families.flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
    ),
  );
  const deploy = join(import.meta.dir, "..", "..", "deploy");
  const dashboard = JSON.parse(
    readFileSync(join(deploy, "grafana/dashboards/sluice.json"), "utf8"),
  ) as {
    panels: { targets?: { expr: string }[] }[];
  };
  const rules = readFileSync(join(deploy, "prometheus/alerts.yml"), "utf8");
  const exprs = [
    ...dashboard.panels.flatMap((p) => p.targets ?? []).map((t) => t.expr),
    ...[...rules.matchAll(/expr: (.*)/g)].map((m) => at(m, 1)),
  ];
  const named = new Set(exprs.flatMap((expr) => expr.match(/\b(?:sluice|process)_\w+/g) ?? []));
  expect(named.size).toBeGreaterThan(30);
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
});

test("ten texts a second are made, and ten more at once; others receive the last one", async () => {
  let nowMs = 0;
  let made = 0;
  const runtime = { ...realRuntime, monotonicMs: () => nowMs };
  const metrics = metricsOf({
    runtime,
    report: () => {
      made++;
      return worker;
    },
  });
  const first = made;
  // Both formats draw on the same allowance.
  const formats = ["text/plain", "application/openmetrics-text"];
  for (let i = 0; i < 100; i++)
    expect((await metrics.page(formats[i % 2])).text).toContain("sluice_worker_up");
  expect(made - first).toBeWithin(10, 13);
  const burst = made;
  nowMs += 1_000;
  for (let i = 0; i < 100; i++) await metrics.page();
  expect(made - burst).toBe(10);
});
