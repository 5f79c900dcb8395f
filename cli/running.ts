// How commands in a folder join the `sluice up` that runs there. It writes down what it uses, and
// the others take what they are not given themselves.
//
// 1. A command that is given a store other than that one's belongs elsewhere, and takes nothing:
//    one system's Redis with another's ledger would halt both.
// 2. What a killed `up` wrote down serves as long as something of it runs, and no longer.
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { settingVariables } from "../core/settings/settings.ts";
import { anyRunning, recordedPid } from "../services/processes.ts";
import { Unavailable } from "./usage.ts";

type Variables = Readonly<Record<string, string>>;

/** What `up` writes down. */
export interface Running {
  readonly env: Variables;
  readonly roleEnv: (kind: string, service?: string) => Variables;
  /** Services with users of their own at the brokers. */
  readonly processing: readonly string[];
  readonly metricsDir: string;
  /** Gateways; a caller that needs only one takes the first. */
  readonly gateways: readonly string[];
}

interface Recorded {
  readonly pid: number;
  /** Absent: by an earlier release. */
  readonly gateways?: readonly string[];
  /** For every command. */
  readonly env: Variables;
  /** For a role besides, by its kind. */
  readonly roles: Readonly<Record<string, Variables>>;
  /** For a fulfilment service, by its name. */
  readonly services: Readonly<Record<string, Variables>>;
  /** The stores as `up` was given them, which may be written in another way. */
  readonly given: Variables;
}

export const ROLES = ["gateway", "worker", "payments", "rates", "sender", "fulfil"] as const;
const STORES = ["SLUICE_REDIS_URL", "SLUICE_REGIONS", "SLUICE_LEDGER_URL", "SLUICE_SHARDS"];
/** What one process has for itself. */
const OWN = new Set([
  ...["SLUICE_DATA", "SLUICE_HTTP_PORT", "SLUICE_REGION", "SLUICE_METRICS_PORT"],
  ...["SLUICE_ID", "SLUICE_STARTER"],
]);

const fileIn = (dir: string) => join(dir, "current.json");

export function writeRunning(dir: string, running: Running): void {
  const { env, roleEnv, processing, metricsDir, gateways } = running;
  const roles = ROLES.map((kind) => [kind, { SLUICE_METRICS_DIR: metricsDir, ...roleEnv(kind) }]);
  const recorded: Recorded = {
    pid: process.pid,
    env: { ...givenSettings(), ...env, SLUICE_GATEWAY_URL: gateways[0] ?? "" },
    gateways,
    roles: Object.fromEntries(roles.filter(([kind]) => kind !== "fulfil")),
    services: Object.fromEntries(processing.map((name) => [name, roleEnv("fulfil", name)])),
    given: Object.fromEntries(STORES.map((name) => [name, process.env[name] ?? ""])),
  };
  writeFileSync(fileIn(dir), JSON.stringify(recorded), { mode: 0o600 });
}

export function endRunning(dir: string): void {
  rmSync(fileIn(dir), { force: true });
}

/** The gateways of this folder's `up`; none: it does not run. */
export function recordedGateways(dir: string): readonly string[] {
  const file = fileIn(dir);
  if (!existsSync(file) || !runs(dir)) return [];
  return (JSON.parse(readFileSync(file, "utf8")) as Recorded).gateways ?? [];
}

/** Adds what the `up` of this folder uses to this process's environment. */
export function joinRunning(command: string, args: readonly string[]): void {
  const dir = process.env.SLUICE_DATA || ".sluice";
  const file = fileIn(dir);
  // A command that starts several roles gives each of them everything.
  if (process.env.SLUICE_STARTER !== undefined || !existsSync(file)) return;
  if (!runs(dir)) return; // 2
  const { pid, env, roles, services, given } = JSON.parse(readFileSync(file, "utf8")) as Recorded;
  const elsewhere = STORES.some((name) => {
    const own = process.env[name];
    return own && own !== env[name] && own !== given[name];
  });
  if (elsewhere) return; // 1
  const role = roleEnv(command, args, { roles, services, given });
  // The default port is taken by a gateway of `up`.
  const port = command === "gateway" ? { SLUICE_HTTP_PORT: "0" } : {};
  // The demo shop signs tokens with the secret of `up`: not for a gateway with another issuer.
  const { SLUICE_JWT_ALGORITHM: algorithm = "HS256" } = process.env;
  const shop = algorithm === "HS256" ? {} : { SLUICE_SHOP: "no" };
  // Its private services are no strangers to a role of ours.
  const starter = { SLUICE_STARTER: String(pid) };
  for (const [name, value] of Object.entries({ ...env, ...role, ...port, ...shop, ...starter }))
    if (!process.env[name]) process.env[name] = value;
}

/** What a role has besides; an operator's command, such as `rates list`, has what all have. */
function roleEnv(
  command: string,
  args: readonly string[],
  { roles, services, given }: Pick<Recorded, "roles" | "services" | "given">,
): Variables | undefined {
  if (command === "fulfil") return services[serviceIn(args)] ?? withoutUser(serviceIn(args), given);
  const ofOperator = command === "rates" && args.some((arg) => RATES_COMMANDS.has(arg));
  return ofOperator ? undefined : roles[command];
}

/** The private brokers have a user for each service that had a route when `up` started. */
function withoutUser(service: string, given: Variables): undefined {
  if (service === "" || given.SLUICE_REGIONS || process.env.SLUICE_REGIONS) return undefined;
  throw new Unavailable(
    `'sluice up' has no user at its brokers for the service '${service}'. Run ` +
      `'sluice routes set CATEGORY ${service} --new', then start 'up' again; or let it take its ` +
      "parts over HTTP (docs/fulfilment.md)",
  );
}

const RATES_COMMANDS: ReadonlySet<string> = new Set(["list", "accept", "refuse"]);

/** Whether `up` runs here, or something that a killed one has left. */
function runs(dir: string): boolean {
  if (!existsSync("/proc/self/stat")) return true; // nobody can tell without it
  return recordedPid(dir, "up") !== undefined || leftRunning(dir);
}

/** Whether anything of an `up` runs: without that `up`, a killed one has left it. */
export function leftRunning(dir: string): boolean {
  const isFolder = statSync(dir, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder && readdirSync(dir).some((each) => anyRunning(join(dir, each, "run")));
}

/** Why a command has no stores to talk to. */
export function nothingRunning(dir: string): Unavailable {
  const starting = recordedPid(dir, "up");
  if (starting === undefined)
    return new Unavailable("nothing is running here: ./sluice up starts it");
  const why = `'sluice up' (process ${starting}) is still starting here: try again in a moment`;
  return new Unavailable(why);
}

function givenSettings(): Record<string, string> {
  const given: Record<string, string> = {};
  for (const name of settingVariables()) {
    const value = process.env[name];
    if (value && !OWN.has(name)) given[name] = value;
  }
  return given;
}

/** The value of `--service`. */
function serviceIn(args: readonly string[]): string {
  const at = args.findIndex((arg) => arg === "--service" || arg.startsWith("--service="));
  const [, value] = (args[at] ?? "").split("=");
  return value ?? args[at + 1] ?? "";
}
