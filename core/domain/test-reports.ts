// For tests: reports of roles where nothing happens.
import { Histogram } from "../metrics/histogram.ts";
import type { GatewayReport, WorkerReport } from "./report.ts";

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
