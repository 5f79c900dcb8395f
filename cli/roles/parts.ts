// What every role is made of: Redis, the ledger, the regions' brokers, opened from the settings.
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { topology } from "../../broker/topology.ts";
import { linkState, type RegionLink } from "../../consumers/orders/relay.ts";
import type { Spans } from "../../core/metrics/spans.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { buildLibrary, type Library } from "../../core/stores/library.ts";
import { RedisStore, StoreUnavailable } from "../../core/stores/redis.ts";
import type { Log } from "../log.ts";

/** RabbitMQ ends a connection that has missed two heartbeats, and looks once a heartbeat. */
const SILENT_BEATS = 3;

/** Refuses to start a role without what it cannot do without. */
export function requireStores(settings: Settings): void {
  if (settings.redisUrl === "") throw new SettingError("SLUICE_REDIS_URL is not set");
  if (settings.regions.length === 0) throw new SettingError("SLUICE_REGIONS is not set");
  if (settings.ledgerUrl === "") throw new SettingError("SLUICE_LEDGER_URL is not set");
}

/** `callTimeoutMs`: after which a Redis that does not answer is dialled anew. */
export async function openRedis(
  runtime: Runtime,
  settings: Settings,
  log: Log,
  options: { readonly callTimeoutMs?: number } = {},
): Promise<RedisStore> {
  const library = patchedLibrary();
  const redis = new RedisStore({
    runtime,
    ...options,
    url: settings.redisUrl,
    library,
    onError: (error) => log("redis", { error: error.message }),
  });
  await redis.connect().catch((error) => {
    if (!(error instanceof StoreUnavailable)) throw error;
    log("redis away", { error: error.message });
  });
  return redis;
}

/**
 * The tests knock single rules out to see the proof turn red: `SLUICE_TEST_PATCH` names a file of
 * [from, to] pairs of Lua text.
 */
function patchedLibrary(): Library | undefined {
  const file = process.env.SLUICE_TEST_PATCH;
  if (!file) return undefined;
  const pairs = JSON.parse(require("node:fs").readFileSync(file, "utf8")) as [string, string][];
  return buildLibrary((source) =>
    pairs.reduce((text, [from, to]) => {
      if (!text.includes(from))
        throw new SettingError(`SLUICE_TEST_PATCH: the library has no '${from}'`);
      return text.replace(from, to);
    }, source),
  );
}

/** undefined: nobody collects traces, and OpenTelemetry is not even loaded (74 ms of a start). */
export async function openSpans(
  { otlpUrl }: Settings,
  role: string,
  id: string,
): Promise<Spans | undefined> {
  if (otlpUrl === "") return undefined;
  const { Spans } = await import("../../core/metrics/spans.ts");
  return new Spans(otlpUrl, role, id);
}

export interface RegionOptions {
  /** Seconds between signs of life of the connection that consumes. */
  readonly heartbeatS?: number;
}

export async function openRegions(
  runtime: Runtime,
  settings: Settings,
  log: Log,
  options: RegionOptions = {},
): Promise<RegionLink[]> {
  const links: RegionLink[] = [];
  for (const region of settings.regions)
    links.push(await openRegion(runtime, region, settings, log, options));
  return links;
}

/** The broker must have ended a frozen worker's consumers by the time its lease is over. */
export function heartbeatWithin(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / 1_000 / SILENT_BEATS));
}

export async function openRegion(
  runtime: Runtime,
  region: Settings["regions"][number],
  settings: Settings,
  log: Log,
  { heartbeatS }: RegionOptions = {},
): Promise<RegionLink> {
  const options = { runtime, region, topology: topology(settings.shards), log };
  const connection = new BrokerConnection({ ...options, name: "publishing" });
  const consuming = new BrokerConnection({
    ...options,
    name: "consuming",
    ...(heartbeatS === undefined ? {} : { heartbeatS }),
  });
  const publisher = new Publisher(connection, { confirmTimeoutMs: settings.confirmTimeoutMs });
  await publisher.start();
  await connection.start();
  await consuming.start();
  return { connection, consuming, publisher };
}

/** Consuming ends first: what is in flight may still publish. */
export async function closeRegions(regions: readonly RegionLink[]): Promise<void> {
  await Promise.all(regions.map(({ consuming }) => consuming.close()));
  await Promise.all(regions.map(({ connection }) => connection.close()));
}

/** For readiness: the brokers that are away. */
export function brokersAway(regions: readonly RegionLink[]): string[] {
  return regions.flatMap((link) =>
    linkState(link) === "away" ? [`broker ${link.connection.region}`] : [],
  );
}
