// The command line. A command's file is loaded only when it runs, so that `sluice token`, for one,
// does not load a broker client.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { messageOf } from "../core/domain/message-of.ts";
import { SettingError } from "../core/settings/settings.ts";
import { takeSettingFlags } from "./flags.ts";

type Registrar = { register(program: Command): void };

/** Command → loader of its file. */
const COMMANDS: Readonly<Record<string, () => Promise<Registrar>>> = {
  up: () => import("./commands/up.ts"),
  gateway: () => import("./commands/roles.ts"),
  payments: () => import("./commands/roles.ts"),
  fulfil: () => import("./commands/fulfil.ts"),
  provider: () => import("./commands/provider.ts"),
  rates: () => import("./commands/roles.ts"),
  worker: () => import("./commands/roles.ts"),
  sender: () => import("./commands/roles.ts"),
  stock: () => import("./commands/stock.ts"),
  top: () => import("./commands/top.ts"),
  orders: () => import("./commands/orders.ts"),
  sales: () => import("./commands/sales.ts"),
  workers: () => import("./commands/workers.ts"),
  token: () => import("./commands/token.ts"),
  id: () => import("./commands/token.ts"),
  verify: () => import("./commands/verify.ts"),
  demo: () => import("./commands/demo.ts"),
  simulate: () => import("./commands/simulate.ts"),
  chaos: () => import("./commands/chaos.ts"),
  bench: () => import("./commands/bench.ts"),
  recover: () => import("./commands/recover.ts"),
  routes: () => import("./commands/routes.ts"),
  dead: () => import("./commands/dead.ts"),
  webhooks: () => import("./commands/webhooks.ts"),
  doctor: () => import("./commands/doctor.ts"),
  config: () => import("./commands/config.ts"),
  check: () => import("./commands/check.ts"),
  "check-history": () => import("./commands/check-history.ts"),
  protocol: () => import("./commands/protocol.ts"),
};

async function main(argv: string[]): Promise<void> {
  const program = new Command("sluice").description(
    "A flash-sale order system that decides every order exactly once.",
  );
  program.helpOption("-h, --help", "show usage and options").showHelpAfterError();
  program.addHelpText(
    "after",
    "\nEvery setting of 'sluice config' is also a flag: " +
      "--gap-timeout 10s sets SLUICE_GAP_TIMEOUT=10s.",
  );
  const wanted = argv[2];
  const load = wanted === undefined ? undefined : COMMANDS[wanted];
  const { settings, rest } = WITHOUT_SETTINGS.has(wanted ?? "")
    ? { settings: {}, rest: argv }
    : takeSettingFlags(argv);
  Object.assign(process.env, settings);
  adoptLocal(wanted);
  const files = load
    ? [await load()]
    : await Promise.all([...new Set(Object.values(COMMANDS))].map((l) => l()));
  const seen = new Set<Registrar>();
  for (const file of files) {
    if (!seen.has(file)) file.register(program);
    seen.add(file);
  }
  await program.parseAsync(rest);
}

/** Commands that measure or verify a fixed setup. */
const WITHOUT_SETTINGS = new Set([
  ...["demo", "simulate", "chaos", "bench", "check", "check-history", "protocol"],
]);

/** Commands that start their own services, or need none. */
const SELF_CONTAINED = new Set([
  "up",
  "demo",
  "simulate",
  "chaos",
  "bench",
  "check",
  "check-history",
  "gateway",
  "worker",
  "payments",
  "provider",
  "fulfil",
  "rates",
]);

/** Other commands connect to the local `sluice up`, unless settings name other services. */
function adoptLocal(command: string | undefined): void {
  if (command === undefined || SELF_CONTAINED.has(command)) return;
  const file = join(process.env.SLUICE_DATA || ".sluice", "current.json");
  if (process.env.SLUICE_REDIS_URL || process.env.SLUICE_LEDGER_URL || !existsSync(file)) return;
  const { env } = JSON.parse(readFileSync(file, "utf8")) as { env: Record<string, string> };
  for (const [name, value] of Object.entries(env)) process.env[name] ??= value;
}

try {
  await main(process.argv);
} catch (error) {
  const failure = error instanceof Error ? error : new Error(messageOf(error));
  const known = failure instanceof SettingError || KNOWN_ERRORS().has(failure.name);
  process.stderr.write(`sluice: ${known ? failure.message : failure.stack}\n`);
  process.exit(1);
}

/** Errors whose message is enough; any other is printed with its stack. */
function KNOWN_ERRORS(): ReadonlySet<string> {
  return new Set([
    "LedgerUnavailable",
    "BrokerUnavailable",
    "TopologyConflict",
    "StoreUnavailable",
  ]);
}
