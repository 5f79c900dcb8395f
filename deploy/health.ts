// Health checks of docker-compose.yml. Exit code 0: the role in this container works; 1: it does
// not, and the reason is printed.
//
//   bun deploy/health.ts gateway    /readyz reports that it can accept orders
//   bun deploy/health.ts payments   charges are consumed in every region
//   bun deploy/health.ts rates      requests for exchange rates are consumed in every region
//   bun deploy/health.ts fulfil     the parts of SLUICE_ID's service are consumed in every region
//   bun deploy/health.ts provider   the stub provider answers
//   bun deploy/health.ts sender     its /readyz reports that the ledger answers
//   bun deploy/health.ts worker     its heartbeat is in Redis, it is not halted, its ledger answers
//
// A check uses the role's own settings and only what is in the image anyway. A container runs it
// every ten seconds, so it loads only its own client.
import { FX_REQUESTS, PAYMENTS, serviceQueueName } from "../broker/topology.ts";
import { localUrl } from "../core/domain/local-url.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings, type Settings } from "../core/settings/settings.ts";

/** Returns what is wrong, or nothing. */
type Check = (settings: Settings) => Promise<string | undefined>;

const CHECKS: Readonly<Record<string, Check>> = {
  gateway,
  worker,
  payments: (settings) => consumed(settings, PAYMENTS),
  rates: (settings) => consumed(settings, FX_REQUESTS),
  // In docker-compose.yml, a service's container has the service's name.
  fulfil: (settings) => consumed(settings, serviceQueueName(process.env.SLUICE_ID ?? "")),
  sender,
  provider,
};
/** Below the time-out in docker-compose.yml, so that the reason is reported. */
const ANSWER_TIMEOUT_MS = 4_000;
/** A role's id ends in eight unique characters: see cli/commands/roles.ts. */
const OWN_ENDING = /-[0-9a-f]{8}$/;

async function gateway({ httpHost, httpPort }: Settings): Promise<string | undefined> {
  return answer(`${localUrl(httpHost, httpPort)}/readyz`);
}

/** It uses no queue that would show it, but has a metrics port. */
async function sender({ metricsHost, metricsPort }: Settings): Promise<string | undefined> {
  if (!metricsPort) return "SLUICE_METRICS_PORT must name a port";
  return answer(`${localUrl(metricsHost, metricsPort)}/readyz`);
}

async function worker({ redisUrl }: Settings): Promise<string | undefined> {
  const { Members } = await import("../core/stores/members.ts");
  const { RedisStore } = await import("../core/stores/redis.ts");
  const redis = new RedisStore({
    runtime: realRuntime,
    url: redisUrl,
    callTimeoutMs: ANSWER_TIMEOUT_MS,
  });
  try {
    // The plain connection: a check loads no functions.
    await redis.reach();
    const name = process.env.SLUICE_ID ?? "worker";
    const { workers } = await new Members(redis).list();
    const found = [...workers]
      .filter(([id]) => id.replace(OWN_ENDING, "") === name)
      .map(([, report]) => JSON.parse(report));
    if (found.length === 0) return `no heartbeat of ${name} in Redis`;
    // A killed worker stays on the list until its lease ends, beside its replacement.
    const working = found.some(({ state, ledger }) => state === "running" && ledger === "up");
    return working ? undefined : JSON.stringify(found);
  } finally {
    await redis.close();
  }
}

async function consumed({ regions }: Settings, queue: string): Promise<string | undefined> {
  const { BrokerConnection } = await import("../broker/connection.ts");
  const { depth } = await import("../broker/inspect.ts");
  for (const region of regions) {
    const connection = new BrokerConnection({
      runtime: realRuntime,
      region,
      topology: { exchanges: [], queues: [], bindings: [] },
    });
    try {
      await connection.start();
      const found = await depth(connection, queue);
      if (!found?.consumers) return `${queue} has no consumer in ${region.name}`;
    } finally {
      await connection.close();
    }
  }
  return undefined;
}

async function provider({ providerUrl }: Settings): Promise<string | undefined> {
  return answer(`${providerUrl}/healthz`);
}

async function answer(url: string): Promise<string | undefined> {
  const response = await fetch(url, { signal: realRuntime.abortAfter(ANSWER_TIMEOUT_MS) });
  return response.ok ? undefined : await response.text();
}

const check = CHECKS[process.argv[2] ?? ""];
const wrong = check
  ? await check(readSettings(process.env)).catch(messageOf)
  : `specify which: ${Object.keys(CHECKS).join(" or ")}`;
if (wrong !== undefined) console.error(wrong);
process.exit(wrong === undefined ? 0 : 1);
