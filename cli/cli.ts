// The command line. A command's file is loaded only when it runs, so that `sluice token`, for one,
// does not load a broker client.
import { Command } from "commander";
import { withoutSecrets } from "../core/domain/masked.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { plainLines } from "../core/domain/plain.ts";
import { withSecretFiles } from "../core/settings/secret-files.ts";
import { SettingError } from "../core/settings/settings.ts";
import { takeSettingFlags } from "./flags.ts";
import { joinRunning } from "./running.ts";

type Registrar = { register(program: Command): void };

/** Command → loader of its file. */
const COMMANDS: Readonly<Record<string, () => Promise<Registrar>>> = {
  up: () => import("./commands/up.ts"),
  down: () => import("./commands/down.ts"),
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
  audit: () => import("./commands/audit.ts"),
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
  readSecretFiles();
  if (wanted !== undefined && !SELF_CONTAINED.has(wanted)) joinRunning(wanted, rest);
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

/** Commands that start their own services, or need none. The others join the local `sluice up`. */
const SELF_CONTAINED = new Set(["up", "down", "provider", ...WITHOUT_SETTINGS]);

/** For this process and those that it starts. */
function readSecretFiles(): void {
  const read = withSecretFiles(process.env);
  for (const name of Object.keys(process.env)) if (!(name in read)) delete process.env[name];
  Object.assign(process.env, read);
}

try {
  await main(process.argv);
} catch (error) {
  const failure = error instanceof Error ? error : new Error(messageOf(error));
  const known = failure instanceof SettingError || KNOWN_ERRORS().has(failure.name);
  const text = known ? failure.message : (failure.stack ?? failure.message);
  process.stderr.write(plainLines(`sluice: ${withoutSecrets(text)}\n`));
  process.exit(1);
}

/** Errors whose message is enough; any other is printed with its stack. */
function KNOWN_ERRORS(): ReadonlySet<string> {
  return new Set([
    "LedgerUnavailable",
    "BrokerUnavailable",
    "StoreRefused",
    "StoreUnavailable",
    "TopologyConflict",
  ]);
}
