// sluice up: runs everything on this machine until Ctrl-C.
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { at } from "../../core/domain/at.ts";
import { withoutSecrets } from "../../core/domain/masked.ts";
import { NAME_PATTERN } from "../../core/domain/order.ts";
import { plain } from "../../core/domain/plain.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, SettingError, type Settings } from "../../core/settings/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import { openDataFolder } from "../../services/data-folder.ts";
import { Fleet } from "../../services/fleet.ts";
import {
  endLocalLeftovers,
  LOCAL_REGIONS,
  localLedger,
  localWebhookSecret,
  SERVICE_FOLDERS,
  startLocalServices,
} from "../../services/local.ts";
import { boundLogs } from "../../services/log-files.ts";
import { canListen, freePort } from "../../services/ports.ts";
import { recordedPid, recordProcess } from "../../services/processes.ts";
import { demoSale } from "../demo-sale.ts";
import { checkProvider } from "../doctor/provider.ts";
import { endRunning, writeRunning } from "../running.ts";
import { stopSignals } from "../signals.ts";
import { mintToken } from "../token.ts";
import { UsageError } from "../usage.ts";

const WORKERS = 2;

export function register(program: Command): void {
  program
    .command("up")
    .description("run everything on this machine, with a demo sale, until Ctrl-C")
    .option(
      "--services <list>",
      "services that you run yourself, separated by commas: each has a user of the brokers, and " +
        "'up' runs none of that name",
      "",
    )
    .action(up);
}

async function up({ services: list }: { readonly services: string }): Promise<void> {
  const yours = servicesIn(list);
  // A terminal that is gone must not end it before everything else has ended.
  process.stderr.on("error", () => undefined);
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const settings = readSettings(process.env);
  const dir = resolve(settings.dataDir);
  openDataFolder(dir);
  claimFolder(dir);
  // Roles that were killed could not remove their metrics addresses.
  rmSync(join(dir, "prometheus"), { recursive: true, force: true });
  const stopSignal = Promise.withResolvers<NodeJS.Signals>();
  for (const name of stopSignals()) process.on(name, () => stopSignal.resolve(name));
  // First, because a gateway that a killed one has left holds its port.
  const left = await endLocalLeftovers(dir);
  if (left.length > 0) say(`stopped processes left by an earlier run: ${left.join(", ")}`);
  const ports = await gatewayPorts(settings, say);
  const processing = [...new Set([...(await processingIn(settings, dir)), ...yours])];
  const services = await startLocalServices({ settings, say, processing, password: true });
  services.keep();
  const unbound = boundLogs(SERVICE_FOLDERS.map((folder) => join(dir, folder)));
  const webhookSecret = settings.webhookSecrets.join(",") || localWebhookSecret(dir);
  const env: Record<string, string> = {
    ...services.env,
    SLUICE_WEBHOOK_SECRET: webhookSecret,
    // Receivers for trials run on this machine.
    SLUICE_WEBHOOK_PRIVATE: process.env.SLUICE_WEBHOOK_PRIVATE || "allow",
    SLUICE_SHOP: process.env.SLUICE_SHOP || (shopSuits(settings) ? "yes" : "no"),
  };
  const { roleEnv } = services;
  const fleet = new Fleet({ dir: join(dir, "roles"), env, roleEnv, say });
  try {
    await createDemoSale(readSettings({ ...process.env, ...env }));
    for (let i = 1; i <= WORKERS; i++) fleet.worker(`worker-${i}`);
    const regions = readSettings({ ...process.env, ...env }).regions;
    const gateways = await Promise.all(
      regions.map(({ name }, i) =>
        fleet.gateway(name, at(ports, i), `gateway-${name}`, settings.httpHost),
      ),
    );
    env.SLUICE_PROVIDER_URL =
      settings.providerUrl || (await startStub(fleet, dir, gateways[0]?.url ?? ""));
    fleet.payments("payments-1", env.SLUICE_PROVIDER_URL);
    fleet.rates("rates");
    fleet.sender("sender-1");
    for (const [service, categories] of Object.entries(DEMO_SERVICES)) {
      await routeTo(service, categories, { ...process.env, ...env });
      if (!yours.includes(service))
        fleet.fulfil(service, service, join(dir, `packed-${service}.db`));
    }
    const { metricsDir } = fleet;
    const urls = gateways.flatMap(({ url }) => (url === undefined ? [] : [url]));
    writeRunning(dir, { env, roleEnv, processing, metricsDir, gateways: urls });
    const provider = settings.providerUrl === "" ? [] : await ownProvider(settings);
    say(await welcome(gateways, { ...process.env, ...env }, settings, provider));
    const signal = await stopSignal.promise;
    say(`stopping (${signal}): orders in flight are finished first`);
  } finally {
    endRunning(dir);
    unbound();
    await fleet.stop();
    await services.stop();
  }
  process.exit(0);
}

/** The shop gives a token to anyone who asks. By default, only this machine can ask. */
function shopSuits({ jwtAlgorithm, httpHost }: Settings): boolean {
  const loopback = /^(127\.|::1$|localhost$)/.test(httpHost);
  return jwtAlgorithm === "HS256" && loopback;
}

/**
 * The stub payment provider, used when no provider is configured. It behaves, except for cards
 * whose token asks otherwise (`stub:decline`).
 */
async function startStub(fleet: Fleet, dir: string, gatewayUrl: string): Promise<string> {
  const webhookUrl = `${gatewayUrl}/v1/payments/webhook`;
  const stub = await fleet.provider({
    port: 0,
    file: join(dir, "provider.jsonl"),
    shares: "",
    seed: 1,
    webhookUrl,
  });
  return stub.url as string;
}

/** Names a provider that is not the stub, and warns if it does not answer. */
async function ownProvider(settings: Settings): Promise<readonly string[]> {
  const found = await checkProvider(settings);
  return [
    `Payments: ${withoutSecrets(settings.providerUrl)} (SLUICE_PROVIDER_URL), and no stub`,
    ...found
      .filter(({ state }) => state !== "ok")
      .map(({ what, detail, fix }) => plain(`WARNING: ${what}: ${detail}; ${fix}`)),
  ];
}

/** Services that have a user at the private brokers: those that have, or ever had, a route. */
async function processingIn(
  { ledgerUrl, shards }: Settings,
  dir: string,
): Promise<readonly string[]> {
  const url = ledgerUrl || localLedger(dir);
  const ledger = await openLedger({ runtime: realRuntime, url, shards });
  const routed = await ledger.formerRoutes().finally(() => ledger.close());
  const names = [...Object.keys(DEMO_SERVICES), ...routed.map(({ service }) => service)];
  return [...new Set(names)];
}

/** Services of the demo sale's categories, until routes are changed. */
const DEMO_SERVICES = { warehouse: ["home", "electronics"], gallery: ["art"] };

/** The names in `--services`. */
function servicesIn(list: string): string[] {
  const names = list.split(",").map((name) => name.trim());
  const services = names.filter((name) => name !== "");
  const stranger = services.find((name) => !NAME_PATTERN.test(name) || name === "unrouted");
  if (stranger !== undefined)
    throw new UsageError(`--services: '${stranger}' must match ${NAME_PATTERN.source}`);
  return services;
}

async function routeTo(
  service: string,
  categories: readonly string[],
  env: Record<string, string | undefined>,
): Promise<void> {
  const { ledgerUrl, shards } = readSettings(env);
  const ledger = await openLedger({ runtime: realRuntime, url: ledgerUrl, shards });
  const routed = new Set((await ledger.routes()).map((route) => route.category));
  // The worker that owns shard 0 applies the routes to the brokers.
  for (const category of categories)
    if (!routed.has(category))
      await ledger.operate(
        { kind: "route", ref: `up ${category}`, category, region: "", service },
        "sluice up",
      );
  await ledger.close();
}

/** One `up` per folder: a second one would stop the first one's services as leftovers. */
function claimFolder(dir: string): void {
  const running = recordedPid(dir, "up");
  if (running !== undefined)
    throw new SettingError(
      `'sluice up' already runs here (process ${running}). ` +
        "A second one needs its own folder: SLUICE_DATA=.sluice2 ./sluice up",
    );
  recordProcess(dir, "up", process.pid);
}

/**
 * Consecutive ports from SLUICE_HTTP_PORT, one per region. If the port was not chosen explicitly,
 * one that is taken is replaced by a free one.
 */
async function gatewayPorts(settings: Settings, say: (line: string) => void): Promise<number[]> {
  const count = settings.regions.length || LOCAL_REGIONS.length;
  const asked = Boolean(process.env.SLUICE_HTTP_PORT);
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const port = settings.httpPort + i;
      if (settings.httpPort === 0 || (await canListen(settings.httpHost, port)))
        return settings.httpPort === 0 ? 0 : port;
      if (asked)
        throw new SettingError(`SLUICE_HTTP_PORT: port ${port} of ${settings.httpHost} is taken`);
      const free = await freePort();
      say(`port ${port} is taken; a gateway listens on ${free} instead`);
      return free;
    }),
  );
}

async function createDemoSale(settings: Settings): Promise<void> {
  const ledger = await openLedger({
    runtime: realRuntime,
    url: settings.ledgerUrl,
    shards: settings.shards,
  });
  const result = await ledger.operate(
    { kind: "create", ref: "the demo sale", sale: demoSale(realRuntime.wallMs()) },
    "sluice up",
  );
  await ledger.close();
  // An earlier run has created it, and its stock carries over.
  if (result === "sale_exists" || result === "ref_conflict") return;
}

async function welcome(
  gateways: readonly { url?: string; region?: string }[],
  env: Record<string, string | undefined>,
  settings: Settings,
  provider: readonly string[],
): Promise<string> {
  const url = gateways[0]?.url ?? "";
  return [
    "",
    ...gateways.map(
      (g) =>
        `  ${(g.region ?? "").padEnd(4)} ${g.url}   docs ${g.url}/docs   ` +
        `WebSocket ${g.url?.replace("http", "ws")}/v1/ws`,
    ),
    "",
    ...(env.SLUICE_SHOP === "yes" ? [`A demo shop: ${url}/shop`] : []),
    ...(settings.jwtAlgorithm === "HS256"
      ? await trialLines(env, url)
      : issuerLines(settings, url)),
    ...provider,
    `Logs: ${settings.dataDir}/roles/*.log. ` +
      "Ctrl-C stops everything, and so does ./sluice down.",
    "",
  ].join("\n");
}

async function trialLines(
  env: Record<string, string | undefined>,
  url: string,
): Promise<readonly string[]> {
  const token = await mintToken(readSettings(env), { user: "ann", scope: "", hours: 1 });
  return [
    `The console: ${url}/console, with a token from: ./sluice token --user ops --scope operator`,
    "",
    "Place an order (each time with a new id):",
    "",
    `  curl -s ${url}/v1/orders -H "authorization: Bearer $(./sluice token --user ann)" ` +
      `-H "content-type: application/json" \\`,
    `    -d '{"id":"'$(./sluice id)'","saleId":"demo","currency":"EUR",` +
      `"lines":[{"sku":"lamp","qty":1}]}'`,
    "",
    "Then: ./sluice orders --user ann    ./sluice stock    ./sluice workers    " +
      "./sluice verify --partial",
    `A token for trials (user ann, one hour): ${token}`,
  ];
}

/** Nobody here can sign for an issuer of one's own. */
function issuerLines({ jwtIssuer, jwtAudience }: Settings, url: string): readonly string[] {
  return [
    `The console: ${url}/console`,
    `Tokens: ${jwtIssuer} signs them, for the audience ${jwtAudience}. './sluice token' and the ` +
      "demo shop need SLUICE_JWT_ALGORITHM=HS256.",
    "Then: ./sluice orders    ./sluice stock    ./sluice workers    ./sluice verify --partial",
  ];
}
