// Settings of the governor: thresholds at which a worker slows down, and at which it pauses.
import { duration, type Threshold, threshold, whole } from "./setting-readers.ts";

export const GOVERNOR_SETTINGS = {
  governorCpu: {
    variable: "SLUICE_GOVERNOR_CPU",
    says: "percent of the CPU used by others at which a worker slows down, and at which it pauses",
    fallback: { slow: 85, pause: 97 } as Threshold | undefined,
    read: threshold(whole(1, 100)),
  },
  governorPressure: {
    variable: "SLUICE_GOVERNOR_PRESSURE",
    says: "… while work has to wait for a CPU this percent of the time",
    fallback: 50,
    read: whole(0, 100),
  },
  governorLoop: {
    variable: "SLUICE_GOVERNOR_LOOP",
    says: "delay of its event loop at which a worker slows down, and pauses",
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
    says: "mean time of a transaction of the ledger, likewise",
    fallback: { slow: 1_000, pause: 5_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
  governorOutbox: {
    variable: "SLUICE_GOVERNOR_OUTBOX",
    says: "age of the oldest entry that is decided and not recorded, likewise",
    fallback: { slow: 3_000, pause: 15_000 } as Threshold | undefined,
    read: threshold(duration(1, 600_000)),
  },
};
