// sluice up: everything on this machine, until Ctrl-C.
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { readSettings, type Settings } from "../../core/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import { demoSale } from "../demo-sale.ts";
import { Fleet } from "../fleet.ts";
import { startLocalServices } from "../services/local.ts";
import { mintToken } from "../token.ts";

const WORKERS = 2;

export function register(program: Command): void {
  program.command("up").description("run everything on this machine, with a demo sale, until Ctrl-C").action(up);
}

async function up(): Promise<void> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const settings = readSettings(process.env);
  const dir = resolve(settings.dataDir);
  const stopSignal = Promise.withResolvers<void>();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stopSignal.resolve());
  const services = await startLocalServices(settings, say);
  const env = { ...services.env };
  const fleet = new Fleet({ dir: join(dir, "roles"), env, say });
  const current = join(dir, "current.json");
  try {
    await createDemoSale(readSettings({ ...process.env, ...env }));
    for (let i = 1; i <= WORKERS; i++) fleet.worker(`worker-${i}`);
    const regions = readSettings({ ...process.env, ...env }).regions;
    const gateways = await Promise.all(
      regions.map((region, i) => fleet.gateway(region.name, settings.httpPort === 0 ? 0 : settings.httpPort + i)),
    );
    writeFileSync(current, JSON.stringify({ env, pid: process.pid }), { mode: 0o600 });
    say(await welcome(gateways, { ...process.env, ...env }, settings));
    await stopSignal.promise;
    say("stopping: orders in hand are finished first");
  } finally {
    rmSync(current, { force: true });
    await fleet.stop();
    await services.stop();
  }
  process.exit(0);
}

async function createDemoSale(settings: Settings): Promise<void> {
  const ledger = await openLedger({ url: settings.ledgerUrl, shards: settings.shards });
  const result = await ledger.operate({ kind: "create", ref: "the demo sale", sale: demoSale(Date.now()) }, "sluice up");
  await ledger.close();
  if (result === "sale_exists" || result === "ref_conflict") return; // made by an earlier run: its stock goes on
}

async function welcome(
  gateways: readonly { url?: string; region?: string }[],
  env: Record<string, string | undefined>,
  settings: Settings,
): Promise<string> {
  const token = await mintToken(readSettings(env), { user: "ann", scope: "", hours: 1 });
  const url = gateways[0]?.url ?? "";
  return [
    "",
    ...gateways.map(
      (g) => `  ${(g.region ?? "").padEnd(4)} ${g.url}   docs ${g.url}/docs   WebSocket ${g.url?.replace("http", "ws")}/v1/ws`,
    ),
    "",
    "Place an order (the id is made anew each time):",
    "",
    `  curl -s ${url}/v1/orders -H "authorization: Bearer $(./sluice token --user ann)" -H "content-type: application/json" \\`,
    `    -d '{"id":"'$(./sluice id)'","saleId":"demo","currency":"EUR","lines":[{"sku":"lamp","qty":1}]}'`,
    "",
    "Then: ./sluice orders --user ann    ./sluice stock    ./sluice workers    ./sluice verify --partial",
    `A token for trying out (user ann, one hour): ${token}`,
    `Logs: ${settings.dataDir}/roles/*.log. Ctrl-C stops everything.`,
    "",
  ].join("\n");
}
