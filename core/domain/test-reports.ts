// For tests: reports of roles where nothing happens, and an overview of them.
import { Histogram } from "../metrics/histogram.ts";
import type { Overview, OverviewItem, OverviewPart } from "./overview.ts";
import type { GatewayReport, PaymentsReport, WorkerReport } from "./report.ts";

const none = new Histogram().report();
const process = {
  host: "h",
  pid: 1,
  sinceMs: 0,
  rssBytes: 1e8,
  cpuSeconds: 1,
  loopDelayMs: 0,
  ignored: {},
};

export function workerReport(change: Partial<WorkerReport>): WorkerReport {
  return {
    ...process,
    id: "worker-1",
    kind: "worker",
    state: "running",
    ledger: "up",
    brokers: [{ region: "eu", state: "up" }],
    unrecorded: 0,
    steps: {},
    retries: 0,
    deadLettered: 0,
    followUps: 0,
    rebuilds: 0,
    rebuildsFailed: 0,
    governor: {
      state: "running",
      level: 0,
      reasons: [],
      signals: {},
      transitions: { running: 0, slowed: 0, paused: 0 },
      eased: {},
    },
    shards: [],
    outcomes: {},
    ...{ batch: none, decide: none, commit: none, recorded: none },
    ...change,
  };
}

export function gatewayReport(change: Partial<GatewayReport>): GatewayReport {
  return {
    ...process,
    id: "eu.gateway",
    kind: "gateway",
    region: "eu",
    url: "",
    draining: false,
    broker: "up",
    publishing: { publishesTo: "eu", regions: [] },
    admission: "open",
    reasons: [],
    shards: [],
    rows: { confirmed: 0, shed: 0, unconfirmed: 0 },
    batches: 1,
    refused: {},
    webhooks: {},
    sockets: 1,
    waitingBytes: 0,
    undecided: 0,
    followed: 0,
    ...{ confirm: none, outcome: none },
    ...change,
  };
}

export function paymentsReport(change: Partial<PaymentsReport> = {}): PaymentsReport {
  const { governor } = workerReport({});
  return {
    ...process,
    ...{ id: "payments-1", kind: "payments", governor, breaker: "closed", load: 0 },
    ...{ answers: {}, call: none },
    ...change,
  };
}

/** An item of which Redis has told the units. */
export function overviewItem(change: Partial<OverviewItem>): OverviewItem {
  return {
    ...{ sku: "lamp", name: "Lamp", total: 10, available: 4, releasing: 0, held: 1, sold: 5 },
    ...{ unitsPerS: null, soldOutAtMs: null },
    ...change,
  };
}

/** Everything answers, one role of each needed kind runs, and a sale is open. */
export function overviewOf(change: Partial<Overview> = {}): Overview {
  const atMs = change.atMs ?? 100_000;
  const parts = ["roles", "memory", "rates", "sales", "halt", "routes", "webhooks", "revenue"];
  const asOf = Object.fromEntries([...parts, "dead"].map((part) => [part, atMs]));
  return {
    atMs,
    asOf: asOf as Record<OverviewPart, number>,
    unasked: [],
    verdict: { level: "ok", findings: [] },
    redis: { state: "up", refuses: null, usedBytes: 1, maxBytes: 0 },
    ledger: { state: "up" },
    halt: null,
    shardCount: 1,
    owners: [{ shard: 0, worker: "worker-1" }],
    sales: [
      {
        ...{ id: "spring", name: "Spring", opensAtMs: 0, closesAtMs: atMs + 3_600_000 },
        ...{ stockAsOfMs: atMs, revenue: null, items: [overviewItem({})] },
      },
    ],
    roles: [gatewayReport({}), paymentsReport(), workerReport({})],
    lost: [],
    dead: [],
    routing: [],
    webhooks: { endpoints: 0, troubled: [] },
    rates: null,
    ratesWaiting: null,
    revenue: null,
    orders: {
      ...{ overMs: null, accepted: null, decided: null, byOutcome: {}, soldOut: null },
      ...{ rejected: null, refused: {}, shed: null },
    },
    flow: { steps: [], bottleneck: null },
    ...change,
  };
}
