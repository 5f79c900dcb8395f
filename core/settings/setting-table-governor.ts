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
    says:
      "CPU used by others, in percent, at which a worker slows down, and at which it pauses; " +
      "off: it makes no room for other programs",
    fallback: { slow: 85, pause: 97 } as Threshold | undefined,
    read: threshold(whole(1, 100)),
  },
  governorPressure: {
    variable: "SLUICE_GOVERNOR_PRESSURE",
    says: "percentage of time that work must wait for a CPU before SLUICE_GOVERNOR_CPU counts",
    fallback: 50,
    read: whole(0, 100),
  },
  governorLoopMs: delay(
    "SLUICE_GOVERNOR_LOOP",
    "event-loop delay at which a worker slows down, and at which it pauses",
    { slow: 500, pause: 3_000 },
  ),
  governorRedisMs: delay("SLUICE_GOVERNOR_REDIS", "likewise: mean time of a call to Redis", {
    slow: 500,
    pause: 3_000,
  }),
  governorLedgerMs: delay("SLUICE_GOVERNOR_LEDGER", "likewise: mean time of a ledger transaction", {
    slow: 1_000,
    pause: 5_000,
  }),
  governorOutboxMs: delay(
    "SLUICE_GOVERNOR_OUTBOX",
    "likewise: age of the oldest entry decided but not recorded",
    { slow: 3_000, pause: 15_000 },
  ),
};
