// Settings of the regions: when a gateway publishes elsewhere, and the brokers of this machine.
import { duration, oneOf } from "./setting-readers.ts";

export const BROKER_LAYOUTS = ["shared", "separate", "cluster"] as const;
export type BrokerLayout = (typeof BROKER_LAYOUTS)[number];

export const REGION_SETTINGS = {
  failover: {
    variable: "SLUICE_FAILOVER",
    says: "let a gateway publish to the next region while its own broker accepts nothing",
    fallback: "yes" as "yes" | "no",
    read: oneOf("yes", "no"),
  },
  failoverAfterMs: {
    variable: "SLUICE_FAILOVER_AFTER",
    says:
      "how long a gateway waits for a confirm before it publishes to the next region; " +
      "shorter than SLUICE_CONFIRM_TIMEOUT",
    fallback: 1_000,
    read: duration(50, 120_000),
  },
  homeAfterMs: {
    variable: "SLUICE_HOME_AFTER",
    says: "how long a gateway's own broker must be healthy before it gets orders again",
    fallback: 10_000,
    read: duration(100, 3_600_000),
  },
  brokers: {
    variable: "SLUICE_BROKERS",
    says:
      "RabbitMQ of this machine: shared (one node), separate (a node for each region), " +
      "cluster (three nodes for the first region)",
    fallback: "shared" as BrokerLayout,
    read: oneOf(...BROKER_LAYOUTS),
  },
};
