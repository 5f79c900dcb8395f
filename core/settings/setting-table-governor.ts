// Settings of the governor: the thresholds at which a worker slows down and pauses.
import { duration, type Threshold, threshold, whole } from "./setting-readers.ts";

/** A delay at which a worker slows down, and one at which it pauses. */
const delay = (variable: string, says: string, fallback: Threshold | undefined) => ({
  ...{ variable, says, fallback },
  read: threshold(duration(1, 600_000)),
});

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
  governorLoop: delay(
    "SLUICE_GOVERNOR_LOOP",
    "event-loop delay at which a worker slows down and pauses",
    { slow: 500, pause: 3_000 },
  ),
  governorRedis: delay("SLUICE_GOVERNOR_REDIS", "mean time of a call to Redis, likewise", {
    slow: 500,
    pause: 3_000,
  }),
  governorLedger: delay("SLUICE_GOVERNOR_LEDGER", "mean time of a ledger transaction, likewise", {
    slow: 1_000,
    pause: 5_000,
  }),
  governorOutbox: delay(
    "SLUICE_GOVERNOR_OUTBOX",
    "age of the oldest entry decided but not recorded, likewise",
    { slow: 3_000, pause: 15_000 },
  ),
};
