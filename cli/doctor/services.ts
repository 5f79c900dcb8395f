// Checks the configured Redis, brokers and ledger: reachable, recent enough, and set up as the
// guarantees require.

import { BrokerConnection } from "../../broker/connection.ts";
import { depth } from "../../broker/inspect.ts";
import { ordersQueue, serviceQueueName, topology } from "../../broker/topology.ts";
import { countWords } from "../../core/domain/finding-words.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { WaitingRate } from "../../core/domain/rate.ts";
import { refusalWords, remedyWords } from "../../core/domain/reason-words.ts";
import { unroutedOf, unroutedText } from "../../core/domain/routing.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { waitingRates } from "../../core/stores/rate-store.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { openLedger } from "../../ledger/open.ts";
import { checkAccount } from "./accounts.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";
import { type Judged, LEDGER_FIRST } from "./verdict.ts";
import { webhookFindings } from "./webhooks.ts";

const OLDEST_REDIS = 7;
/**
 * Redis's clock corrects the stamps of different machines; a larger difference means that a clock
 * is wrong.
 */
const CLOCK_APART_MS = 60_000;

/**
 * `unread`: services whose queues need no consumer. `insteadOfWorkers`: what to do about shards
 * without a worker, where another worker would not help.
 */
export async function checkServices(
  settings: Settings,
  { unread, insteadOfWorkers }: Omit<Judged, "findings">,
): Promise<Finding[]> {
  const looks: Promise<Finding[]>[] = [];
  if (settings.redisUrl !== "") looks.push(checkRedis(settings));
  for (const region of settings.regions) looks.push(checkRegion(region, settings, unread));
  if (settings.ledgerUrl !== "") looks.push(checkLedger(settings));
  const found = (await Promise.all(looks)).flat();
  const fails = (name: string) => found.some((f) => f.what === name && f.state === "fail");
  if (fails("Redis")) return found.map(fixing("bring Redis back: workers own shards through it"));
  if (fails("ledger")) return found.map(fixing(LEDGER_FIRST));
  return insteadOfWorkers === undefined ? found : found.map(fixing(insteadOfWorkers));
}

/** Another worker would not help. */
function fixing(fix: string): (finding: Finding) => Finding {
  return (finding) => (finding.fix === START_WORKER ? { ...finding, fix } : finding);
}

const START_WORKER = "start one: 'sluice worker', or 'sluice up'";

async function checkRedis(settings: Settings): Promise<Finding[]> {
  const what = "Redis";
  const redis = new RedisStore({
    runtime: realRuntime,
    url: settings.redisUrl,
    onError: () => undefined,
  });
  try {
    await redis.connect();
    const info = parseInfo(await redis.run((client) => client.info()));
    const version = info.redis_version ?? "";
    const found: Finding[] = [];
    if (Number(version.split(".")[0]) < OLDEST_REDIS)
      found.push(fail(what, `version ${version}`, "Redis 7.0 or Valkey 8 is required"));
    else
      found.push(
        ok(
          what,
          `version ${info.valkey_version ? `${info.valkey_version} (Valkey)` : version}, ` +
            "functions loaded",
        ),
      );
    const policy = info.maxmemory_policy ?? "noeviction";
    if (policy !== "noeviction" && info.maxmemory !== "0")
      found.push(
        fail(
          what,
          `maxmemory-policy is ${policy}: it may evict stock`,
          "set maxmemory-policy noeviction",
        ),
      );
    if (info.maxmemory === "0" && settings.redisMemory === 0)
      found.push(
        warn(
          what,
          "its memory limit is unknown",
          "set maxmemory, or SLUICE_REDIS_MEMORY: then gateways stop accepting orders in time",
        ),
      );
    const [seconds] = await redis.run((client) => client.time());
    const apart = Math.abs(Number(seconds) * 1_000 - realRuntime.wallMs());
    if (apart > CLOCK_APART_MS)
      found.push(
        warn(
          what,
          `its clock and this machine's are ${Math.round(apart / 1_000)} s apart`,
          "synchronize both by NTP",
        ),
      );
    found.push(...(await waitingRates(redis)).filter(isHeld).map(heldRate));
    return found;
  } catch (error) {
    const remedy = remedyWords(redis.state);
    if (remedy !== undefined)
      return [fail(what, `takes no writes: ${refusalWords(redis.state)}`, remedy)];
    return [fail(what, messageOf(error), "check that it runs and that SLUICE_REDIS_URL is right")];
  } finally {
    await redis.close();
  }
}

const isHeld = ({ state }: WaitingRate) => state === "held";

function heldRate({ pair, value, last, sinceMs }: WaitingRate): Finding {
  const since = new Date(sinceMs).toISOString();
  return warn(
    `rate ${pair}`,
    `${value} is not used since ${since}: it is too far from the last one, ${last}`,
    `'sluice rates accept ${pair}', or 'sluice rates refuse ${pair}' (docs/currencies.md)`,
  );
}

function parseInfo(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .split("\r\n")
      .map((line) => line.split(":"))
      .map(([name = "", ...rest]) => [name, rest.join(":")]),
  );
}

async function checkRegion(
  region: Settings["regions"][number],
  settings: Settings,
  unread: ReadonlySet<string>,
): Promise<Finding[]> {
  const what = `broker ${region.name}`;
  // Without its own topology: an inspection must declare nothing.
  const connection = new BrokerConnection({
    runtime: realRuntime,
    region,
    topology: { exchanges: [], queues: [], bindings: [] },
  });
  try {
    await connection.start();
    if (!connection.up)
      return [
        fail(
          what,
          "cannot be reached",
          `check that it runs and that SLUICE_REGIONS is right for '${region.name}'`,
        ),
      ];
    const queues = topology(settings.shards).queues.map(({ name }) => name);
    const depths = await Promise.all(queues.map((queue) => depth(connection, queue)));
    const missing = depths.filter((d) => d === undefined).length;
    if (missing > 0)
      return [
        ok(
          what,
          `reachable; queues that do not exist: ${missing} of ${queues.length} ` +
            "(the first role creates them)",
        ),
      ];
    const accounts = [
      ...(await checkAccount(connection, settings)),
      ...(await checkServiceQueues(connection, settings, unread)),
    ];
    const owned = queues.filter(
      (queue, i) => isOrders(queue, settings.shards) && (depths[i]?.consumers ?? 0) > 0,
    ).length;
    const waiting = depths.reduce((sum, d) => sum + (d?.ready ?? 0), 0);
    if (owned < settings.shards)
      return [
        warn(
          what,
          `shards without a worker: ${settings.shards - owned} of ${settings.shards}`,
          START_WORKER,
        ),
        ...accounts,
      ];
    return [
      ok(what, `reachable, every shard has a worker, ${countWords(waiting, "message")} waiting`),
      ...accounts,
    ];
  } catch (error) {
    return [fail(what, messageOf(error), "check that it runs and that SLUICE_REGIONS is right")];
  } finally {
    await connection.close();
  }
}

/** Services that have a route but no consumer of their queue. */
async function checkServiceQueues(
  connection: BrokerConnection,
  settings: Settings,
  unread: ReadonlySet<string>,
): Promise<Finding[]> {
  if (settings.ledgerUrl === "") return [];
  const { ledgerUrl: url, shards } = settings;
  const ledger = await openLedger({ runtime: realRuntime, url, shards }).catch(() => undefined);
  // checkLedger reports it
  const routes = (await ledger?.routes().catch(() => undefined)) ?? [];
  await ledger?.close();
  const routed = new Set(routes.map(({ service }) => service));
  const services = [...routed].filter((service) => !unread.has(service)).sort();
  const found: Finding[] = [];
  for (const service of services) {
    const queue = await depth(connection, serviceQueueName(service));
    if ((queue?.consumers ?? 0) === 0)
      found.push(
        warn(
          `service ${service} in region ${connection.region}`,
          "it has a route, but nobody reads its queue or claims its parts over HTTP",
          "start that service; or 'sluice routes set CATEGORY OTHER', and then " +
            `'sluice routes drain ${service}' for the parts that wait`,
        ),
      );
  }
  return found;
}

const isOrders = (queue: string, shards: number): boolean =>
  Array.from({ length: shards }, (_, shard) => ordersQueue(shard)).includes(queue);

async function checkLedger(settings: Settings): Promise<Finding[]> {
  const what = "ledger";
  try {
    const ledger = await openLedger({
      runtime: realRuntime,
      url: settings.ledgerUrl,
      shards: settings.shards,
    });
    const looks = Promise.all([ledger.sales(), ledger.routes(), ledger.webhooks.list()]);
    const [sales, routes, endpoints] = await looks.finally(() => ledger.close());
    const unrouted = unroutedOf(sales, routes, realRuntime.wallMs());
    return [
      ...unrouted.map((found) =>
        warn(`sale ${found.saleId}`, unroutedText(found), "'sluice routes set CATEGORY SERVICE'"),
      ),
      ok(
        what,
        `${settings.ledgerUrl.split(":")[0]}, schema up to date, commits are synced, ` +
          countWords(settings.shards, "shard"),
      ),
      ...webhookFindings(endpoints, realRuntime.wallMs()),
    ];
  } catch (error) {
    return [fail(what, messageOf(error), "see SLUICE_LEDGER_URL and SLUICE_SHARDS")];
  }
}
