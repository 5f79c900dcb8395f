// Settings of the governor: the thresholds at which a worker slows down and pauses.
import { duration, type Threshold, threshold, whole } from "./setting-readers.ts";

export const GOVERNOR_SETTINGS = {
  governorCpu: {
    variable: "SLUICE_GOVERNOR_CPU",
    says: "CPU used by others, in percent, at which a worker slows down and pauses",
    fallback: { slow: 85, pause: 97 } as Threshold | undefined,
    read: threshold(whole(1, 100)),
  },
  governorPressure: {
    variable: "SLUICE_GOVERNOR_PRESSURE",
    says: "… while work waits for a CPU for this percentage of the time",
    fallback: 50,
    read: whole(0, 100),
  },
  governorLoop: {
    variable: "SLUICE_GOVERNOR_LOOP",
    says: "event-loop delay at which a worker slows down and pauses",
    fallback: { slow: 500, pause: 3_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
  governorRedis: {
    variable: "SLUICE_GOVERNOR_REDIS",
    says: "mean time of a call to Redis, likewise",
    fallback: { slow: 500, pause: 3_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
  governorLedger: {
    variable: "SLUICE_GOVERNOR_LEDGER",
    says: "mean time of a ledger transaction, likewise",
    fallback: { slow: 1_000, pause: 5_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
  governorOutbox: {
    variable: "SLUICE_GOVERNOR_OUTBOX",
    says: "age of the oldest entry decided but not recorded, likewise",
    fallback: { slow: 3_000, pause: 15_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
};
