// Opens the parts of every role from the settings: Redis, the ledger, and the regions' brokers.
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { topology } from "../../broker/topology.ts";
import { linkState, type RegionLink } from "../../consumers/orders/relay.ts";
import type { Spans } from "../../core/metrics/spans.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { buildLibrary, type Library } from "../../core/stores/library.ts";
import { RedisStore, StoreRefused, StoreUnavailable } from "../../core/stores/redis.ts";
import type { Log } from "../log.ts";
import { nothingRunning } from "../running.ts";

/** RabbitMQ closes a connection after two missed heartbeats and checks once per heartbeat. */
const SILENT_BEATS = 3;

/** Throws if a setting that every worker needs is missing. */
export function requireStores(settings: Settings): void {
  const { redisUrl, regions, ledgerUrl, dataDir } = settings;
  if (redisUrl === "" && regions.length === 0 && ledgerUrl === "") throw nothingRunning(dataDir);
  if (redisUrl === "") throw new SettingError(`SLUICE_REDIS_URL is not set${NOR_UP}`);
  requireRegions(settings);
  if (ledgerUrl === "") throw new SettingError(`SLUICE_LEDGER_URL is not set${NOR_UP}`);
}

const NOR_UP = ", and no 'sluice up' is running here to provide it";

export function requireRegions({ regions }: Settings): void {
  if (regions.length === 0) throw new SettingError(`SLUICE_REGIONS is not set${NOR_UP}`);
}

/** `callTimeoutMs`: a Redis that takes longer to answer is reconnected. */
export async function openRedis(
  runtime: Runtime,
  settings: Settings,
  log: Log,
  { callTimeoutMs }: { readonly callTimeoutMs?: number } = {},
): Promise<RedisStore> {
  const library = patchedLibrary();
  const redis = new RedisStore({
    runtime,
    callTimeoutMs,
    url: settings.redisUrl,
    library,
    onError: (error) => log("redis", { error: error.message }),
  });
  await connectSoon(runtime, redis).catch((error) => {
    if (error instanceof StoreRefused || !(error instanceof StoreUnavailable)) throw error;
    log("redis away", { error: error.message });
  });
  return redis;
}

/** A start waits this long for a Redis that is still loading its file, then continues without. */
const FIRST_CONNECT_MS = 10_000;

async function connectSoon(runtime: Runtime, redis: RedisStore): Promise<void> {
  const late = Promise.withResolvers<never>();
  const slow = new StoreUnavailable(`Redis is not ready after ${FIRST_CONNECT_MS} ms`);
  const timer = runtime.startTimer(() => late.reject(slow), FIRST_CONNECT_MS);
  try {
    await Promise.race([redis.connect(), late.promise]);
  } finally {
    runtime.stopTimer(timer);
  }
}

/** For readiness: a store that is not up, with the word of its state unless it is just away. */
export function trouble(store: "redis" | "ledger", state: string): string[] {
  if (state === "up") return [];
  return [state === "away" ? store : `${store} ${state}`];
}

/**
 * Tests disable single rules to see verify fail: `SLUICE_TEST_PATCH` names a file with [from, to]
 * pairs of Lua text.
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

/** undefined without a trace collector; then OpenTelemetry is not even loaded (74 ms at start). */
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
  /** Heartbeat of the consuming connection, seconds. */
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

/** The broker must have ended a frozen worker's consumers by the time its lease expires. */
export function heartbeatWithin(leaseMs: number): number {
  return Math.max(1, Math.floor(leaseMs / 1_000 / SILENT_BEATS));
}

export async function openRegion(
  runtime: Runtime,
  region: Settings["regions"][number],
  settings: Settings,
  log: Log,
  options: RegionOptions = {},
): Promise<RegionLink> {
  const link = regionLink(runtime, region, settings, log, options);
  await startLink(link);
  return link;
}

/** A region's connections, before startLink() opens them. */
export function regionLink(
  runtime: Runtime,
  region: Settings["regions"][number],
  settings: Settings,
  log: Log,
  { heartbeatS }: RegionOptions = {},
): RegionLink {
  const declared = topology(settings.shards);
  const connection = new BrokerConnection({
    runtime,
    region,
    topology: declared,
    name: "publishing",
    log,
  });
  const consuming = new BrokerConnection({
    runtime,
    region,
    topology: declared,
    name: "consuming",
    heartbeatS,
    log,
  });
  const publisher = new Publisher(connection, { confirmTimeoutMs: settings.confirmTimeoutMs });
  return { connection, consuming, publisher };
}

/** Rejects if the broker refuses the connection; one that is away is waited for later. */
export async function startLink({ connection, consuming, publisher }: RegionLink): Promise<void> {
  await publisher.start();
  await connection.start();
  await consuming.start();
}

/** Closes consumers first, because work in flight may still publish. */
export async function closeRegions(regions: readonly RegionLink[]): Promise<void> {
  await Promise.all(regions.map(({ consuming }) => consuming.close()));
  await Promise.all(regions.map(({ connection }) => connection.close()));
}

/** The unreachable brokers, for readiness. */
export function brokersAway(regions: readonly RegionLink[]): string[] {
  return regions.flatMap((link) =>
    linkState(link) === "away" ? [`broker ${link.connection.region}`] : [],
  );
}
