// Metric families that several roles have.
import type { BrokerState, GovernorReport, RoleReport, WorkerReport } from "../domain/report.ts";
import { by, type Family, family, is, one, type Sample } from "./family.ts";

export const BROKER_UP = "Whether a region's broker is connected and accepts messages.";
export const BROKER_BLOCKED = "Whether a region's broker has raised an alarm (memory, disk).";
export const brokers = (state: BrokerState, all: WorkerReport["brokers"]): readonly Sample[] =>
  all.map((b) => [{ region: b.region }, b.state === state ? 1 : 0]);

export const PROCESS: readonly Family<RoleReport>[] = [
  family("counter", "process_cpu_seconds_total", "CPU time used.", (r) => one(r.cpuSeconds)),
  family("gauge", "process_resident_memory_bytes", "Resident memory.", (r) => one(r.rssBytes)),
  family("gauge", "process_start_time_seconds", "When the process started, Unix time.", (r) =>
    one(r.sinceMs / 1_000),
  ),
  family(
    "gauge",
    "sluice_event_loop_delay_seconds",
    "The longest delay of the event loop in the last second.",
    (r) => one(r.loopDelayMs / 1_000),
  ),
  family(
    "counter",
    "sluice_ignored_errors_total",
    "Errors that were ignored since nothing is lost by them, by what failed.",
    (r) => by("what", r.ignored),
  ),
];

/** For every role that can ease off: workers, payment workers, services. */
export const GOVERNOR: readonly Family<{ readonly governor: GovernorReport }>[] = [
  family("gauge", "sluice_governor_state", "1 for the governor's current state.", (r) =>
    is(r.governor.state, ["running", "slowed", "paused"]),
  ),
  family("gauge", "sluice_governor_level", "0 runs freely, 1 to 3 slowed, 4 paused.", (r) =>
    one(r.governor.level),
  ),
  family(
    "gauge",
    "sluice_governor_signal",
    "Latest value of each signal, in the unit its name ends with.",
    (r) => by("signal", r.governor.signals),
  ),
  family(
    "counter",
    "sluice_governor_eased_total",
    "Times the governor slowed down by another level, by reason.",
    (r) => by("reason", r.governor.eased),
  ),
  family(
    "counter",
    "sluice_governor_transitions_total",
    "Times the governor entered each state.",
    (r) => by("state", r.governor.transitions),
  ),
];
