// A region's broker is lost for good, with all that its queues held. An operator lists what is
// unknown, lets the other regions continue without it, and later puts an empty broker in its place.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { PAYMENTS_DEAD } from "../../../broker/topology.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { historyNow } from "../../history.ts";
import { type BrokerClient, withBroker } from "../broker-client.ts";
import { between, type Fault, type Injected } from "../fault.ts";
import type { ChaosBroker, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const ACCEPTS_MS = 20_000;
const LETTERS_MS = 90_000;
/** Workers are down for this long before, so that the queues hold orders. */
const HELD_MS = 1_500;

export const REGION_GONE: Fault = {
  name: "region-lost-for-good",
  what:
    "All workers are killed; then a region's broker is, and its disk is deleted. An operator " +
    "runs `sluice recover --lost --yes`; after 5 to 15 s an empty broker takes its place.",
  seen:
    "a second or two of 503; orders that were only there are unknown again, and are on the " +
    "operator's list",
  needs: ["separate-brokers", "alone"],
  touches: ["broker", "worker"],
  recoveryMs: 30_000,
  inject: lose,
};

async function lose(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { region, nodes } = await withLetters(system);
  const workers = system.rolesOf("worker");
  const lastsMs = between(random, 5_000, 15_000);
  await Promise.all(workers.map((worker) => worker.kill()));
  await realRuntime.sleep(HELD_MS);
  await Promise.all(nodes.map((node) => node.kill()));
  const atMs = historyNow();
  await Promise.all(workers.map((worker) => worker.start()));
  for (const { dir } of nodes) rmSync(join(dir, "data"), { recursive: true });
  let afterMs: number | undefined;
  return {
    lastsMs,
    detail: `${region}'s broker and its disk`,
    evidence: async () => {
      const accepted = () => system.flow.acceptedSince(region, atMs);
      const backMs = await until(`${region} accepts again`, accepted, ACCEPTS_MS);
      afterMs = backMs - atMs;
      const orders = await declareLost(system, region, atMs);
      return (
        `its gateway accepted again after ${Math.round(afterMs)} ms; ` +
        `${orders} orders and cancels are on the operator's list`
      );
    },
    measuredMs: () => afterMs,
    heal: async () => {
      await Promise.all(nodes.map((node) => node.start()));
      await system.sluice("recover", "--region", region, "--back");
    },
  };
}

/** A broker with dead letters: those must not be lost with it. */
async function withLetters({ brokers }: ChaosSystem): Promise<ChaosBroker> {
  return until(
    "dead letters",
    async () => {
      for (const broker of brokers) {
        const ready = (client: BrokerClient) => client.ready(PAYMENTS_DEAD);
        if (((await withBroker(broker, "operator", ready)) ?? 0) > 0) return broker;
      }
      return undefined;
    },
    LETTERS_MS,
  );
}

/** As an operator would; what is on the list is known to be unknown from then on. */
async function declareLost(system: ChaosSystem, region: string, atMs: number): Promise<number> {
  const text = await system.sluice("recover", "--region", region, "--lost", "--json", "--yes");
  const { orders, silent } = JSON.parse(text) as Listed;
  if (silent.length > 0) throw new Error(`gateways did not answer: ${JSON.stringify(silent)}`);
  if (orders.length === 0) throw new Error("the operator's list is empty");
  system.flow.takeBack(orders, region, atMs);
  return orders.length;
}

interface Listed {
  readonly orders: readonly { readonly user: string; readonly id: string; cancel?: boolean }[];
  readonly silent: readonly unknown[];
}
