// The inputs of a role's governor, from the settings.
import { CpuWatch } from "../../consumers/governor/cpu.ts";
import { Governing, type GovernorSettings } from "../../consumers/governor/governing.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Log } from "../log.ts";

/** CPU of processes with the same starter counts as ours. */
export function cpuWatch(runtime: Runtime): CpuWatch {
  return new CpuWatch(runtime, Number(process.env.SLUICE_STARTER ?? process.pid));
}

export function governorSettings(settings: Settings): GovernorSettings {
  const {
    governorPressure,
    governorCpu,
    governorLoopMs,
    governorRedisMs,
    governorLedgerMs,
    governorOutboxMs,
    workerRate,
  } = settings;
  return {
    pressurePercent: governorPressure,
    thresholds: {
      cpu_others_percent: governorCpu,
      loop_delay_ms: governorLoopMs,
      redis_ms: governorRedisMs,
      ledger_ms: governorLedgerMs,
      outbox_ms: governorOutboxMs,
    },
    maxPerSecond: workerRate,
  };
}

/**
 * For payment workers and services, which have no stores to protect: CPU, event loop and manual
 * pauses.
 */
export function competingGoverning(runtime: Runtime, settings: Settings, log: Log): Governing {
  const { pressurePercent, thresholds } = governorSettings(settings);
  const { cpu_others_percent, loop_delay_ms } = thresholds;
  return new Governing(
    runtime,
    { pressurePercent, thresholds: { cpu_others_percent, loop_delay_ms }, maxPerSecond: 0 },
    cpuWatch(runtime),
    log,
    false,
  );
}
