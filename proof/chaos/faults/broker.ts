// Brokers with an alarm, and without a queue.
import { ordersQueue, PAYMENTS, topology } from "../../../broker/topology.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { type BrokerClient, withBroker } from "../broker-client.ts";
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { ChaosBroker, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const ALARM_MS = 15_000;
const RECOVERY_MS = 15_000;
const IDLE_MS = 30_000;
/** If nothing was recorded for this long, no consumer holds a message. */
const STILL_MS = 2_000;
const BLOCKED = "sluice_broker_blocked";

export const BROKER_FAULTS: readonly Fault[] = [
  alarm("memory", "set_vm_memory_high_watermark", ["0.000001"], ["absolute", "2GB"]),
  alarm("disk", "set_disk_free_limit", ["1000000GB"], ["200MB"]),
  {
    name: "orders-queue-deleted",
    what: "An empty shard's queue is deleted, and declared again after 2 to 6 s.",
    seen: "503 `unconfirmed` for its shard in that region",
    recoveryMs: RECOVERY_MS,
    inject: deleteOrders,
  },
  {
    name: "payments-queue-deleted",
    what:
      "The queue of the charges is deleted with what is in it, and declared again; an operator " +
      "runs `sluice recover --ask-again`.",
    seen: "orders stay `reserved` until their charge is asked for again",
    recoveryMs: RECOVERY_MS,
    inject: deletePayments,
  },
];

function alarm(
  kind: string,
  command: string,
  on: readonly string[],
  off: readonly string[],
): Fault {
  return {
    name: `broker-${kind}-alarm`,
    what: `A broker raises its ${kind} alarm for 5 to 15 s.`,
    seen: "503 `unavailable` in its regions, within 100 ms",
    touches: ["broker"],
    recoveryMs: RECOVERY_MS,
    inject: async (system, random) => {
      const broker = oneOf(random, system.brokers);
      const lastsMs = between(random, 5_000, 15_000);
      const end = async () => void (await broker.ctl(command, ...off));
      await broker.ctl(command, ...on).catch((error) => end().then(() => Promise.reject(error)));
      return {
        lastsMs,
        detail: `${kind} alarm at ${broker.region}'s broker for ${(lastsMs / 1_000).toFixed(1)} s`,
        evidence: async () => {
          const count = await until(
            "a gateway reports it",
            async () => (await system.metric("gateway", BLOCKED)) || undefined,
            ALARM_MS,
          );
          return `${count} gateways report a blocked broker`;
        },
        heal: end,
      };
    },
  };
}

async function deleteOrders(system: ChaosSystem, random: () => number): Promise<Injected> {
  const broker = oneOf(random, system.brokers);
  const queue = ordersQueue(between(random, 0, system.shards - 1));
  const lastsMs = between(random, 2_000, 6_000);
  const publishers = [
    ...system.rolesOf("gateway"),
    ...system.rolesOf("payments"),
    ...system.rolesOf("fulfil"),
  ];
  // Nobody publishes until it is empty: what is deleted with a queue would be lost for good.
  for (const role of publishers) role.freeze();
  try {
    await withBroker(broker, "worker", async (client) => {
      await untilIdle(system, client, queue);
      await (await client.model.createChannel()).deleteQueue(queue);
    });
  } finally {
    for (const role of publishers) role.resume();
  }
  return missing(system, broker, queue, lastsMs);
}

async function untilIdle(system: ChaosSystem, client: BrokerClient, queue: string): Promise<void> {
  let entries = -1;
  let sinceMs = realRuntime.monotonicMs();
  await until(
    `${queue} is empty`,
    async () => {
      const now = await system.ledger.entries();
      const still = now === entries && (await client.ready(queue)) === 0;
      if (!still) sinceMs = realRuntime.monotonicMs();
      entries = now;
      return still && realRuntime.monotonicMs() - sinceMs > STILL_MS;
    },
    IDLE_MS,
  );
}

async function deletePayments(system: ChaosSystem, random: () => number): Promise<Injected> {
  const broker = oneOf(random, system.brokers);
  await withBroker(broker, "worker", async (client) => {
    await (await client.model.createChannel()).deleteQueue(PAYMENTS);
  });
  const injected = await missing(system, broker, PAYMENTS, between(random, 2_000, 6_000));
  return {
    ...injected,
    heal: async () => {
      await injected.heal();
      await system.sluice("recover", "--ask-again");
    },
  };
}

/** A queue that was deleted, until it is declared again. */
async function missing(
  system: ChaosSystem,
  broker: ChaosBroker,
  queue: string,
  lastsMs: number,
): Promise<Injected> {
  return {
    lastsMs,
    detail: `${queue} of ${broker.region} deleted for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      if ((await withBroker(broker, "operator", (client) => client.ready(queue))) !== undefined)
        throw new Error(`${queue} still exists`);
      return `the broker knows no ${queue}`;
    },
    heal: () => withBroker(broker, "worker", async () => undefined, topology(system.shards)),
  };
}
