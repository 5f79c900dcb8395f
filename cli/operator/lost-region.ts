// What is known about the orders of a region that will not come back, from three witnesses: the
// gateways that are running, the ledger, and the numbers that users' later orders wait for.
import { BrokerConnection } from "../../broker/connection.ts";
import type { Region } from "../../broker/region.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { GatewayReport, RoleReport } from "../../core/domain/report.ts";
import { shardOf } from "../../core/domain/shard.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { type MissingNumber, ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger } from "../../ledger/contract.ts";

export interface LostOrder {
  readonly user: string;
  readonly id: string;
  readonly acceptedAtMs: number;
  readonly gateway: string;
  /** Only the cancel of this order. */
  readonly cancel?: boolean;
}

export interface LostRegion {
  readonly region: string;
  /**
   * Answered with 202 for this region alone: orders that are not in the ledger, and cancels of
   * orders that are not cancelled.
   */
  readonly orders: readonly LostOrder[];
  /** They may have been accepted there. */
  readonly numbers: readonly (MissingNumber & { readonly shard: number })[];
  /** Gateways that did not answer, and why: what they know is missing here. */
  readonly silent: readonly { readonly gateway: string; readonly why: string }[];
}

export interface LostRegionOptions {
  readonly runtime: Runtime;
  readonly settings: Settings;
  readonly ledger: Ledger;
  readonly redis: RedisStore;
  readonly region: string;
  /** An operator's token for the gateways. */
  readonly token: string;
}

const ANSWER_MS = 10_000;

export async function lookAtLost(options: LostRegionOptions): Promise<LostRegion> {
  const { redis, region, ledger } = options;
  const roles = [...(await new Members(redis).roles()).values()].map(
    (text) => JSON.parse(text) as RoleReport,
  );
  const gateways = roles.filter((role): role is GatewayReport => role.kind === "gateway");
  const answers = await Promise.all(gateways.map((gateway) => ask(gateway, options)));
  const store = new ShardStore(redis);
  const shards = Array.from({ length: ledger.shards }, (_, shard) => shard);
  const numbers = await Promise.all(
    shards.map(async (shard) =>
      (await store.missingNumbers(shard)).map((missing) => ({ ...missing, shard })),
    ),
  );
  return {
    region,
    orders: await unrecorded(
      ledger,
      answers.flatMap((answer) => answer.orders),
    ),
    numbers: numbers.flat(),
    silent: answers.flatMap(({ gateway, why }) => (why === undefined ? [] : [{ gateway, why }])),
  };
}

/** Throws if a node of the region's broker answers: then the region is not lost. */
export async function mustBeAway({ runtime, settings, region }: LostRegionOptions): Promise<void> {
  const setting = settings.regions.find(({ name }) => name === region);
  if (!setting) {
    const names = settings.regions.map(({ name }) => name).join(", ");
    throw new SettingError(`'${region}' is not one of SLUICE_REGIONS (${names})`);
  }
  const nodes = [setting.url, ...(setting.others ?? [])];
  const up = await Promise.all(nodes.map((url) => answers(runtime, { name: region, url })));
  if (up.includes(true))
    throw new SettingError(
      `the broker of region '${region}' answers, so its orders are not lost: ` +
        "the workers read its queues",
    );
}

async function answers(runtime: Runtime, region: Region): Promise<boolean> {
  const topology = { exchanges: [], queues: [], bindings: [] };
  const connection = new BrokerConnection({ runtime, region, topology });
  await connection.start();
  const { up } = connection;
  await connection.close();
  return up;
}

interface Answer {
  readonly gateway: string;
  readonly orders: readonly LostOrder[];
  readonly why?: string;
}

/**
 * What one gateway knows. The answer names its gateway: an address that several machines have, such
 * as 127.0.0.1 behind a proxy, may lead to a gateway other than the intended one.
 */
export async function ask(
  { id: gateway, url }: Pick<GatewayReport, "id" | "url">,
  { runtime, region, token }: Pick<LostRegionOptions, "runtime" | "region" | "token">,
): Promise<Answer> {
  try {
    const response = await fetch(`${url}/v1/admin/undecided?region=${encodeURIComponent(region)}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: runtime.abortAfter(ANSWER_MS),
    });
    if (!response.ok) return { gateway, orders: [], why: `status ${response.status}` };
    const { orders, full, ...told } = (await response.json()) as {
      gateway?: string;
      orders: Omit<LostOrder, "gateway">[];
      full: boolean;
    };
    if (told.gateway !== undefined && told.gateway !== gateway)
      return { gateway, orders: [], why: `another gateway (${told.gateway}) answers at ${url}` };
    const named = orders.map((order) => ({ ...order, gateway }));
    const why = full
      ? "it has more than it may list"
      : told.gateway === undefined
        ? `of an earlier release: whether it is the one that answers at ${url}, nobody knows`
        : undefined;
    return { gateway, orders: named, ...(why === undefined ? {} : { why }) };
  } catch (error) {
    return { gateway, orders: [], why: messageOf(error) };
  }
}

/** Those without an effect in the ledger: the others' outcomes were only lost on their way. */
async function unrecorded(ledger: Ledger, orders: readonly LostOrder[]): Promise<LostOrder[]> {
  const byShard = Map.groupBy(orders, ({ user }) => shardOf(user, ledger.shards));
  const open: LostOrder[] = [];
  for (const [shard, own] of byShard) {
    const known = await ledger.states(shard, own);
    const happened = ({ user, id, cancel }: LostOrder) => {
      const state = known.get(`${user} ${id}`);
      return cancel ? state === "cancelled" : state !== undefined;
    };
    open.push(...own.filter((order) => !happened(order)));
  }
  return open.sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
}
