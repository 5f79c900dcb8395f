// A region's broker is away for longer than anything waits, and a node of a cluster is lost.
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { historyNow } from "../../history.ts";
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { ChaosBroker, ChaosNode, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const ACCEPTS_MS = 20_000;
const ELECTED_MS = 30_000;
const FROZEN_MS = 5_000;

export const REGION_FAULTS: readonly Fault[] = [
  {
    name: "region-lost",
    what: "A region's broker is killed and stays down for 15 to 40 s.",
    seen: "a second or two of 503; then its gateway publishes to the next region",
    needs: ["separate-brokers"],
    touches: ["broker"],
    recoveryMs: 30_000,
    inject: loseRegion,
  },
  {
    name: "cluster-leader-killed",
    what: "In a cluster of three, the node that leads a shard's queue is killed for 5 to 15 s.",
    seen: "503 `unconfirmed` for some orders while another node takes over",
    needs: ["cluster"],
    touches: ["broker"],
    recoveryMs: 30_000,
    inject: killLeader,
  },
  {
    name: "cluster-leader-frozen",
    what: "In a cluster of three, the node that leads a shard's queue is stopped for 10 to 30 s.",
    seen: "503 `unconfirmed` for some orders while another node takes over",
    needs: ["cluster"],
    touches: ["broker"],
    recoveryMs: 45_000,
    inject: freezeLeader,
  },
];

async function loseRegion(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { region, nodes } = oneOf(random, system.brokers);
  const lastsMs = between(random, 15_000, 40_000);
  await Promise.all(nodes.map((node) => node.kill()));
  const atMs = historyNow(); // what was sent before may have been accepted by the broker
  let afterMs: number | undefined;
  return {
    lastsMs,
    detail: `${region} without a broker for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      const backMs = await until(
        `the gateway of ${region} accepts again`,
        () => system.flow.acceptedSince(region, atMs),
        ACCEPTS_MS,
      );
      if (nodes.some((node) => node.state() !== "gone")) throw new Error("a node still runs");
      afterMs = backMs - atMs;
      return `its gateway accepted again after ${Math.round(afterMs)} ms, without its broker`;
    },
    measuredMs: () => afterMs,
    heal: async () => {
      await Promise.all(nodes.map((node) => node.start()));
    },
  };
}

async function killLeader(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { broker, node, queue } = await leaderOf(system, random);
  const lastsMs = between(random, 5_000, 15_000);
  const before = await leaderName(broker, queue);
  await node.kill();
  return {
    lastsMs,
    detail: `${node.name}, which led ${queue}, killed for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: () => elected(broker, queue, before),
    heal: () => node.start(),
  };
}

async function freezeLeader(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { node, queue } = await leaderOf(system, random);
  const lastsMs = between(random, 10_000, 30_000);
  node.freeze();
  return {
    lastsMs,
    detail: `${node.name}, which led ${queue}, frozen for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      await until(`${node.name} is frozen`, () => node.state() === "frozen", FROZEN_MS);
      return `process ${node.pid()} is stopped`;
    },
    heal: async () => node.resume(),
  };
}

async function elected(broker: ChaosBroker, queue: string, before: string): Promise<string> {
  const now = await until(
    `another leader of ${queue}`,
    async () => {
      await realRuntime.sleep(500);
      const name = await leaderName(broker, queue).catch(() => before);
      return name !== before && name !== "" && name;
    },
    ELECTED_MS,
  );
  return `${now} leads ${queue} now`;
}

async function leaderOf(
  system: ChaosSystem,
  random: () => number,
): Promise<{ broker: ChaosBroker; node: ChaosNode; queue: string }> {
  const broker = system.brokers.find(({ nodes }) => nodes.length > 1);
  if (!broker) throw new Error("no region has a cluster");
  const queue = `orders.${between(random, 0, system.shards - 1)}`;
  const name = await leaderName(broker, queue);
  const node = broker.nodes.find((one) => name.startsWith(one.name));
  if (!node) throw new Error(`no node is named ${name}`);
  return { broker, node, queue };
}

/**
 * Name of the Erlang node that leads a queue. The node that is asked knows it by itself:
 * `list_queues` would ask the leader, and wait for one that is gone.
 */
async function leaderName({ region, ctl }: ChaosBroker, queue: string): Promise<string> {
  const name = `rabbit_misc:r(<<"${region}">>, queue, <<"${queue}">>)`;
  const found = `{ok, Q} = rabbit_amqqueue:lookup(${name}), element(2, amqqueue:get_pid(Q)).`;
  return (await ctl("eval", found)).trim().replaceAll("'", "");
}
