// A private RabbitMQ node with its own name, ports, cookie and data folder, on loopback only. The
// node imports its virtual hosts (one per region) from a definitions file when it boots, so no
// second command is needed.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Account, RoleUser } from "../broker/accounts.ts";
import { probeBroker } from "../broker/probe.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { canListen, freePorts, keptPort, untilListening } from "./ports.ts";
import { type Child, endByPidFile, endLeftovers, spawnRecorded } from "./processes.ts";
import { writeWhole } from "./secret-file.ts";

export interface PrivateRabbit extends Child {
  /** Its Erlang name. */
  readonly node: string;
  readonly port: number;
  readonly dir: string;
  /**
   * AMQP URL of a virtual host for one of the accounts, or for the all-powerful `guest` if there
   * are no accounts.
   */
  url(vhost: string, user?: string): string;
  /** Runs rabbitmqctl against this node and returns its output. */
  ctl(...args: string[]): Promise<string>;
  /** After it has ended: starts it again on its port and folder, with these variables besides. */
  again(env?: Readonly<Record<string, string>>): Promise<PrivateRabbit>;
  /**
   * Rejects unless clients can connect to each virtual host in time. Absent in a cluster, where a
   * minority rightly serves nobody.
   */
  readonly probe?: ((limitMs: number) => Promise<void>) | undefined;
}

export interface PrivateRabbitOptions {
  readonly vhosts: readonly string[];
  readonly port?: number;
  /** Users with random passwords, instead of `guest`. */
  readonly accounts?: readonly Account[];
  /** Variables of its process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its place in a cluster. */
  readonly seat?: ClusterSeat;
}

/** What a node of a cluster does not choose by itself. */
export interface ClusterSeat {
  /** Its own name, and those of all nodes. */
  readonly node: string;
  readonly nodes: readonly string[];
  /** Folder of the cookie and the passwords that the nodes share. */
  readonly secrets: string;
  /** Erlang's port mapper, which runs already. */
  readonly epmdPort: number;
}

/** On a busy machine several may start at once, and those of a cluster wait for each other. */
const START_TIMEOUT_MS = 240_000;
const STOP_GRACE_MS = 20_000;
/** rabbitmqctl starts an Erlang node, which takes seconds; one that hangs is killed. */
const CTL_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 3;
export const RABBIT_LOG = "out.log";
/** Written by the node. */
const PID_FILE = "rabbitmq.pid";
const GUEST = "guest";
/** The role's user that declares queues. */
const WORKER: RoleUser = "worker";
/**
 * The node blocks publishers at this memory use: ample for a sale on one machine, and well below
 * what the machine has.
 */
const MEMORY_LIMIT = "2GB";
/** Messages of shards are at most 1 MB; the outcomes sent to gateways may be longer. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/**
 * Locations of the server's scripts when they are not on the PATH. Run directly, they keep the
 * current user.
 */
const SCRIPT_DIRS = [
  "/usr/lib/rabbitmq/bin",
  "/usr/local/lib/rabbitmq/bin",
  "/opt/homebrew/opt/rabbitmq/sbin",
];
const EPMD_PATHS = [
  "/usr/lib/erlang/bin/epmd",
  "/usr/local/lib/erlang/bin/epmd",
  "/opt/homebrew/bin/epmd",
];

export function rabbitScript(name: string): string | undefined {
  const script = SCRIPT_DIRS.map((dir) => join(dir, name)).find((path) => existsSync(path));
  return script ?? Bun.which(name) ?? undefined;
}

export async function startRabbit(
  dir: string,
  options: PrivateRabbitOptions,
): Promise<PrivateRabbit> {
  const server = rabbitScript("rabbitmq-server");
  if (!server) throw new Error("rabbitmq-server is not installed");
  mkdirSync(dir, { recursive: true });
  // A second node would find its ports free or take others: no conflict would stop it.
  await endRabbitIn(dir);
  for (let attempt = 1; ; attempt++) {
    try {
      return await startNode(server, dir, options);
    } catch (error) {
      // Another program may take the port in the seconds between choosing and using it.
      if (attempt === START_ATTEMPTS || !lastWords(dir).includes("eaddrinuse")) throw error;
    }
  }
}

/** Ends a node that an earlier run has left in this folder. */
export async function endRabbitIn(dir: string): Promise<string[]> {
  const ended = await endLeftovers(join(dir, "run"));
  if (await endByPidFile(join(dir, PID_FILE), dir)) ended.push("rabbitmq");
  return ended;
}

async function startNode(
  server: string,
  dir: string,
  options: PrivateRabbitOptions,
): Promise<PrivateRabbit> {
  const { seat } = options;
  const port = options.port ?? (await keptPort(dir));
  const [distPort, freeEpmd] = (await freePorts(2, [port])) as [number, number];
  const node = seat?.node ?? nodeName(dir);
  const epmdPort = seat?.epmdPort ?? freeEpmd;
  const passwords = passwordsIn(seat?.secrets ?? dir, options.accounts ?? []);
  writeConfig(dir, port, options, passwords);
  writeCookie(dir, seat?.secrets ?? dir);
  const env = nodeEnv(dir, node, distPort, epmdPort);
  const epmd = seat ? NO_EPMD : startEpmd(dir, epmdPort);
  const child = spawnRecorded({
    name: "rabbitmq",
    command: [server],
    recordDir: join(dir, "run"),
    env: { ...env, ...options.env },
    cwd: dir,
    logFile: join(dir, RABBIT_LOG),
  });
  try {
    await untilListening(port, START_TIMEOUT_MS, child.exited);
  } catch (error) {
    await child.kill();
    await epmd.kill();
    throw new Error(
      `RabbitMQ did not start: ${messageOf(error)}; ` +
        `last line of ${join(dir, RABBIT_LOG)}: ${lastWords(dir) || "none"}`,
    );
  }
  const url = (vhost: string, user = GUEST) =>
    `amqp://${user}:${passwords[user] ?? GUEST}@127.0.0.1:${port}/${encodeURIComponent(vhost)}`;
  const worker = options.accounts?.find(({ user }) => user === WORKER)?.user;
  const probe = async (limitMs: number) => {
    for (const vhost of options.vhosts) await probeBroker(realRuntime, url(vhost, worker), limitMs);
  };
  return {
    ...child,
    node,
    port,
    dir,
    url,
    probe: seat ? undefined : probe,
    ctl: (...args) => ctl(env, node, args),
    again: async (more = {}) => {
      // The cluster's port mapper may have ended with its last node.
      if (seat && (await canListen("127.0.0.1", epmdPort))) startEpmd(seat.secrets, epmdPort);
      return startRabbit(dir, { ...options, port, env: more });
    },
    stop: () => child.stop("SIGTERM", STOP_GRACE_MS).finally(epmd.kill),
    kill: () => child.kill().finally(epmd.kill),
  };
}

/** In a cluster, the port mapper belongs to all nodes. */
const NO_EPMD = { kill: async () => undefined };

/**
 * Erlang's port mapper. A node would start a detached one that outlives it, so this one is started
 * here and can be stopped.
 */
export function startEpmd(dir: string, port: number): Child {
  const command = Bun.which("epmd") ?? EPMD_PATHS.find((path) => existsSync(path));
  if (!command) throw new Error("epmd, part of Erlang, was not found: put it on the PATH");
  return spawnRecorded({
    name: "epmd",
    command: [command, "-port", String(port), "-address", "127.0.0.1"],
    recordDir: join(dir, "run"),
    cwd: dir,
  });
}

/** The node's name must not change between starts, because its data folder is named after it. */
function nodeName(dir: string): string {
  const file = join(dir, "node");
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (kept !== "") return kept;
  const name = `sluice-${realRuntime.uuid().slice(0, 8)}@127.0.0.1`;
  writeWhole(file, name);
  return name;
}

/** Created once per user and readable only by their owner. */
function passwordsIn(dir: string, accounts: readonly Account[]): Record<string, string> {
  if (accounts.length === 0) return {};
  const file = join(dir, "passwords.json");
  const known = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, string>)
    : {};
  for (const user of [GUEST, ...accounts.map((a) => a.user)]) known[user] ??= newPassword();
  writeWhole(file, JSON.stringify(known));
  return known;
}

function newPassword(): string {
  return Buffer.from(realRuntime.randomBytes(24)).toString("base64url");
}

function writeConfig(
  dir: string,
  port: number,
  { vhosts, accounts = [], seat }: PrivateRabbitOptions,
  passwords: Readonly<Record<string, string>>,
): void {
  // A node created without accounts has a `guest`, which would keep its password and permissions.
  const all = { configure: ".*", write: ".*", read: ".*" };
  const none = { configure: "^$", write: "^$", read: "^$" };
  const users = [{ user: GUEST, ...(accounts.length > 0 ? none : all) }, ...accounts];
  const definitions = {
    users: users.map(({ user }) => ({
      name: user,
      password: passwords[user] ?? GUEST,
      tags: user === GUEST && accounts.length === 0 ? ["administrator"] : [],
      limits: {},
    })),
    vhosts: vhosts.map((name) => ({ name })),
    permissions: vhosts.flatMap((vhost) =>
      users.map(({ user, configure, write, read }) => ({ user, vhost, configure, write, read })),
    ),
  };
  writeFileSync(join(dir, "definitions.json"), JSON.stringify(definitions), { mode: 0o600 });
  writeFileSync(
    join(dir, "rabbitmq.conf"),
    [
      `listeners.tcp.local = 127.0.0.1:${port}`,
      `load_definitions = ${join(dir, "definitions.json")}`,
      `vm_memory_high_watermark.absolute = ${MEMORY_LIMIT}`,
      "disk_free_limit.absolute = 200MB",
      `max_message_size = ${MAX_MESSAGE_BYTES}`,
      "collect_statistics_interval = 30000",
      "log.file.level = warning",
      "log.file.rotation.size = 10485760",
      "log.file.rotation.count = 1",
      ...clusterLines(seat),
      "",
    ].join("\n"),
  );
  writeFileSync(join(dir, "enabled_plugins"), "[].\n");
}

function clusterLines(seat: ClusterSeat | undefined): string[] {
  if (!seat) return [];
  return [
    "cluster_formation.peer_discovery_backend = classic_config",
    ...seat.nodes.map((node, i) => `cluster_formation.classic_config.nodes.${i + 1} = ${node}`),
    // Nodes start together: one that waits for the others must not wait for long.
    "cluster_formation.discovery_retry_limit = 60",
    "cluster_formation.discovery_retry_interval = 500",
    // A minority stops serving, so that a client learns of it.
    "cluster_partition_handling = pause_minority",
  ];
}

/** The nodes of a cluster have the same cookie, each in its own folder. */
function writeCookie(dir: string, secrets: string): void {
  const shared = join(secrets, ".erlang.cookie");
  if (!existsSync(shared)) writeFileSync(shared, realRuntime.uuid().replaceAll("-", ""));
  chmodSync(shared, COOKIE_MODE);
  if (dir === secrets) return;
  const own = join(dir, ".erlang.cookie");
  if (!existsSync(own)) copyFileSync(shared, own);
  chmodSync(own, COOKIE_MODE);
}

const COOKIE_MODE = 0o400;

function nodeEnv(
  dir: string,
  node: string,
  distPort: number,
  epmdPort: number,
): Record<string, string> {
  return {
    HOME: dir,
    RABBITMQ_NODENAME: node,
    // A name that contains an address needs no resolver: some machines cannot resolve `localhost`.
    RABBITMQ_USE_LONGNAME: "true",
    RABBITMQ_MNESIA_BASE: join(dir, "data"),
    RABBITMQ_LOG_BASE: join(dir, "log"),
    RABBITMQ_CONFIG_FILE: join(dir, "rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "enabled_plugins"),
    RABBITMQ_DIST_PORT: String(distPort),
    RABBITMQ_CONF_ENV_FILE: join(dir, "none.conf"),
    RABBITMQ_PID_FILE: join(dir, PID_FILE),
    // The start script replaces itself with the node instead of waiting for it, so that the
    // recorded process and its signals are the node's.
    RUNNING_UNDER_SYSTEMD: "true",
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    // No busy waiting: spinning schedulers would take cores from processes that have work.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${ERLANG} +sbwt none +sbwtdcpu none +sbwtdio none`,
    RABBITMQ_CTL_ERL_ARGS: ERLANG,
  };
}

/** Other machines cannot reach the node, and names of files are UTF-8 whatever the locale is. */
const ERLANG = "+fnu -kernel inet_dist_use_interface {127,0,0,1}";

async function ctl(env: Record<string, string>, node: string, args: string[]): Promise<string> {
  const script = rabbitScript("rabbitmqctl");
  if (!script) throw new Error("rabbitmqctl is not installed");
  const run = Bun.spawn([script, "-n", node, ...args], {
    env: { ...process.env, ...env },
    stdout: "pipe",
    stderr: "pipe",
    timeout: CTL_TIMEOUT_MS,
  });
  const [out, err, code] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ]);
  if (code !== 0) throw new Error(`rabbitmqctl ${args.join(" ")}: ${err.trim() || out.trim()}`);
  return out;
}

/** The last line of the log that says something. */
function lastWords(dir: string): string {
  const file = join(dir, RABBIT_LOG);
  const lines = (existsSync(file) ? readFileSync(file, "utf8") : "")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("Crash dump"));
  return lines[lines.length - 1] ?? "";
}
