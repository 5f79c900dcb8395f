// The private brokers of this machine: one node for all regions, a node for each region, or a
// cluster of three nodes for the first region and a node for each other one.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Account } from "../broker/accounts.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { BrokerLayout } from "../core/settings/setting-table-regions.ts";
import { freePort } from "./ports.ts";
import type { Child } from "./processes.ts";
import { type PrivateRabbit, startEpmd, startRabbit } from "./rabbitmq.ts";

export interface PrivateRegion {
  readonly region: string;
  /** More than one: a cluster. In a shared layout, all regions have the same node. */
  readonly nodes: readonly PrivateRabbit[];
}

export interface PrivateBrokers {
  readonly regions: readonly PrivateRegion[];
  /** Every node, each once. */
  readonly nodes: readonly PrivateRabbit[];
  /** AMQP URLs of a region's nodes for a user, separated by `|`. */
  url(region: string, user: string): string;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export interface PrivateBrokersOptions {
  readonly layout: BrokerLayout;
  /** The first one is the cluster's. */
  readonly regions: readonly string[];
  readonly accounts: readonly Account[];
}

const CLUSTER_NODES = [1, 2, 3] as const;
/** One node holds all regions. */
const SHARED_DIR = "rabbitmq";

const dirOf = (region: string): string => `rabbitmq-${region}`;

/** Folders under the data folder that may hold records of nodes, whatever the layout was. */
export function brokerFolders(regions: readonly string[]): string[] {
  const own = regions.map(dirOf);
  return [SHARED_DIR, ...own.flatMap((dir) => [dir, ...CLUSTER_NODES.map((n) => `${dir}/${n}`)])];
}

export async function startBrokers(
  dir: string,
  options: PrivateBrokersOptions,
): Promise<PrivateBrokers> {
  const { layout, regions, accounts } = options;
  const [first = "", ...others] = regions;
  const single = (region: string) => one(join(dir, dirOf(region)), region, accounts);
  switch (layout) {
    case "shared": {
      const node = await startRabbit(join(dir, SHARED_DIR), { vhosts: regions, accounts });
      return brokersOf(regions.map((region) => ({ region, nodes: [node] })));
    }
    case "separate":
      return brokersOf(await allOrNone(regions.map(single), nodesOf));
    case "cluster": {
      const cluster = startCluster(join(dir, dirOf(first)), first, accounts);
      return brokersOf(await allOrNone([cluster, ...others.map(single)], nodesOf));
    }
  }
}

async function one(
  dir: string,
  region: string,
  accounts: readonly Account[],
): Promise<PrivateRegion> {
  return { region, nodes: [await startRabbit(dir, { vhosts: [region], accounts })] };
}

/** Nodes that share a cookie, passwords and Erlang's port mapper, all on loopback. */
export async function startCluster(
  dir: string,
  region: string,
  accounts: readonly Account[],
): Promise<PrivateRegion> {
  mkdirSync(dir, { recursive: true });
  const epmdPort = await freePort();
  const epmd = startEpmd(dir, epmdPort);
  const name = clusterName(dir);
  const names = CLUSTER_NODES.map((n) => `${name}-${n}@127.0.0.1`);
  const start = (n: (typeof CLUSTER_NODES)[number], i: number) =>
    startRabbit(join(dir, String(n)), {
      ...{ vhosts: [region], accounts },
      seat: { node: names[i] ?? "", nodes: names, secrets: dir, epmdPort },
    });
  try {
    const nodes = await allOrNone(CLUSTER_NODES.map(start), (node) => [node]);
    return { region, nodes: nodes.map((node) => endingLast(node, nodes, epmd)) };
  } catch (error) {
    await epmd.kill();
    throw error;
  }
}

/** The port mapper ends with the last node. */
function endingLast(node: PrivateRabbit, all: readonly PrivateRabbit[], epmd: Child) {
  const left = new Set(all);
  for (const other of all) void other.exited.then(() => left.delete(other));
  const after = async (end: Promise<void>) => {
    await end;
    if (left.size === 0) await epmd.kill();
  };
  return { ...node, stop: () => after(node.stop()), kill: () => after(node.kill()) };
}

/** Must not change between starts: the nodes' data folders carry it. */
function clusterName(dir: string): string {
  const file = join(dir, "cluster");
  if (!existsSync(file)) writeFileSync(file, `sluice-${realRuntime.uuid().slice(0, 8)}`);
  return readFileSync(file, "utf8");
}

/** If one does not start, the others are killed. */
async function allOrNone<T>(
  starts: readonly Promise<T>[],
  nodesOf: (started: T) => readonly PrivateRabbit[],
): Promise<T[]> {
  const results = await Promise.allSettled(starts);
  const started = results.flatMap((r) => (r.status === "fulfilled" ? [r.value] : []));
  const failed = results.find((r) => r.status === "rejected");
  if (!failed) return started;
  await Promise.all(started.flatMap(nodesOf).map((node) => node.kill()));
  throw failed.reason;
}

const nodesOf = (region: PrivateRegion): readonly PrivateRabbit[] => region.nodes;

function brokersOf(regions: readonly PrivateRegion[]): PrivateBrokers {
  const nodes = [...new Set(regions.flatMap((region) => region.nodes))];
  return {
    regions,
    nodes,
    url: (region, user) =>
      (regions.find((r) => r.region === region)?.nodes ?? [])
        .map((node) => node.url(region, user))
        .join("|"),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
    kill: async () => {
      await Promise.all(nodes.map((node) => node.kill()));
    },
  };
}
