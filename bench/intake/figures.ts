// The figures of an intake run that are compared with those of another.
import type { Figures } from "../against.ts";
import { costOf } from "../load/cost.ts";
import type { IntakeResult } from "./intake.ts";

export function intakeFigures(result: IntakeResult): Figures {
  const { idle, http, charges, burst } = result;
  const figures: Record<string, number> = {};
  if (burst) figures["burst, accepted/s"] = burst.acceptedPerSecond;
  for (const name of ["sustained", "reserved", "charged"] as const) {
    const flood = result[name];
    if (!flood) continue;
    figures[`${name}, recorded/s`] = flood.decidedPerSecond;
    Object.assign(figures, spent(name, flood.cpuMicros));
    figures[`${name}, Redis's main thread, µs per order`] = flood.redisMicrosPerOrder;
  }
  if (http && http !== "missing") {
    figures["HTTP, accepted/s"] = http.acceptedPerSecond;
    figures["HTTP, p99 ms"] = http.p99Ms;
    Object.assign(figures, spent("HTTP", http.cpuMicros));
  }
  if (charges) {
    figures["charges/s"] = charges.perSecond;
    Object.assign(figures, spent("charges", charges.cpuMicros));
  }
  if (idle) {
    figures["idle: 202 over HTTP, p99 ms"] = idle.http202.p99Ms;
    figures["idle: outcome pushed, p99 ms"] = idle.decided.p99Ms;
  }
  return figures;
}

function spent(name: string, cpuMicros: Readonly<Record<string, number>>): Figures {
  const { all, parts } = costOf(cpuMicros);
  const each = Object.entries(parts).map(([part, micros]) => [`${name}, ${part}, µs`, micros]);
  return { [`${name}, CPU per order without the generator, µs`]: all, ...Object.fromEntries(each) };
}
