// The bench's results as a page: targets beside measurements, and the cost of each part.
import { comparison } from "../against.ts";
import { batchingText } from "../batching.ts";
import { conditionText } from "../conditions.ts";
import { intakeFigures } from "./figures.ts";
import type { IntakeResult } from "./intake.ts";
import { waitingLine } from "./settled.ts";
import type { FloodResult } from "./websocket.ts";

/** `plots`: whether the plots of the floods lie beside the page. */
export function intakePage(result: IntakeResult, plots = false): string {
  const { idle, http, burst, sustained, reserved, charged, charges } = result;
  const lines = [
    "# Intake",
    "",
    conditionText(result),
    "20,000 users, 1–3 lines per order, one order per frame or request; a tenth of the orders",
    "reserved unless noted. WebSocket orders use service tokens that name the user.",
    "Metrics, token buckets, governor and admission on, the latter with a target wait of a minute.",
    "",
    "| what | target | measured |",
    "|---|---|---|",
  ];
  const row = (what: string, wanted: string, measured: string) =>
    lines.push(`| ${what} | ${wanted} | ${measured} |`);
  if (burst)
    row(
      `WebSocket burst, accepted, ${burst.seconds.toFixed(1)} s, ${burst.sockets} sockets`,
      "≥ 100,000/s for ≥ 5 s",
      accepted(burst),
    );
  if (sustained)
    row(
      `sustained into the ledger, ${sustained.seconds.toFixed(0)} s`,
      "≥ 60,000/s",
      `${n(sustained.decidedPerSecond)}/s`,
    );
  if (reserved)
    row(
      `the same, all reserved, ${reserved.seconds.toFixed(0)} s`,
      "",
      `${n(reserved.decidedPerSecond)}/s`,
    );
  if (charged) {
    const measured = `${n(charged.decidedPerSecond)}/s, and ${n(charged.paidPerSecond)} charges/s`;
    row(
      `the same, reserved orders are charged, ${charged.seconds.toFixed(0)} s`,
      "within 10%",
      measured,
    );
  }
  if (charges)
    row(
      `charges of a backlog, ${charges.seconds.toFixed(0)} s, including the stub`,
      "≥ 3,000/s",
      `${n(charges.perSecond)}/s`,
    );
  if (http === "missing")
    row(
      "single-order HTTP",
      "≥ 30,000/s, p99 < 30 ms",
      "not measured: wrk is not installed (apt install wrk)",
    );
  else if (http) {
    const bad =
      http.refused + http.lost > 0 ? `, ${n(http.refused)} refused, ${n(http.lost)} lost` : "";
    const measured =
      `${n(http.acceptedPerSecond)}/s, p50 ${ms(http.p50Ms)}, ` + `p99 ${ms(http.p99Ms)}${bad}`;
    row(
      `single-order HTTP, wrk, ${http.connections} connections`,
      "≥ 30,000/s, p99 < 30 ms",
      measured,
    );
  }
  if (idle) {
    row(
      "idle: 202 over HTTP, p99",
      "≤ 10 ms",
      `${ms(idle.http202.p99Ms)} (p50 ${ms(idle.http202.p50Ms)})`,
    );
    row(
      "idle: outcome pushed, p99",
      "≤ 20 ms",
      `${ms(idle.decided.p99Ms)} (p50 ${ms(idle.decided.p50Ms)})`,
    );
  }
  const spent = sustained ?? burst;
  if (spent) {
    row("Redis, CPU per order", "≤ 6 µs", `${spent.redisMicrosPerOrder.toFixed(1)} µs`);
    row("Redis, bytes per order kept", "≤ 250", n(spent.redisBytesPerOrder));
  }
  if (charges)
    lines.push("", `**charges**, ${n(charges.paid)} paid: ${perOrder(charges.cpuMicros)}.`);
  if (http && http !== "missing") lines.push("", `**http**: ${perOrder(http.cpuMicros)}.`);
  for (const [name, flood] of Object.entries({ burst, sustained, reserved, charged }))
    if (flood)
      lines.push(
        "",
        ...spending(name, flood),
        ...(plots ? ["", `![${name}, over time](intake-${name}.svg)`] : []),
      );
  const left = waitingLine(result.waiting);
  if (left) lines.push("", `**${left}**`);
  const { postgres } = result;
  if (postgres) lines.push(...besidePostgres(result, postgres));
  return `${lines.join("\n")}\n`;
}

/** The same on both ledgers, then the details of the run on Postgres. */
function besidePostgres(result: IntakeResult, postgres: IntakeResult): string[] {
  const [sqlite, own] = [intakeFigures(result), intakeFigures(postgres)];
  const names = [result.ledger, postgres.ledger] as const;
  const details = intakePage(postgres).replace("# Intake", "# Intake on Postgres");
  return [...comparison("Postgres beside SQLite", names, sqlite, own), "", details.trimEnd()];
}

function accepted(flood: FloodResult): string {
  const refused = Object.entries(flood.refused).map(([code, count]) => `, ${n(count)} ${code}`);
  const waited = flood.answeredAfterS.toFixed(1);
  return `${n(flood.acceptedPerSecond)}/s, last answer after ${waited} s${refused.join("")}`;
}

function spending(name: string, flood: FloodResult): string[] {
  const { cpuMicros, memoryMb, accepted: orders } = flood;
  const memory = Object.entries(memoryMb).map(
    ([part, samples]) => `- ${part}: ${samples.join(", ")}`,
  );
  return [
    `**${name}**, ${n(orders)} orders: ${perOrder(cpuMicros)}. ${batchingText(flood.batching)}`,
    "",
    "Resident MB over the run:",
    "",
    ...memory,
  ];
}

function perOrder(cpuMicros: Readonly<Record<string, number>>): string {
  const parts = Object.entries(cpuMicros).map(([part, micros]) => `${part} ${micros.toFixed(1)}`);
  const total = Object.values(cpuMicros).reduce((sum, micros) => sum + micros, 0);
  return `µs of CPU per order ${parts.join(", ")}; ${total.toFixed(1)} in all`;
}

const n = (value: number): string => Math.round(value).toLocaleString("en");
const ms = (value: number): string => `${value.toFixed(1)} ms`;
