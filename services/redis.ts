// A private redis-server on loopback with its own port and folder. It writes nothing to disk: no
// guarantee depends on a file, and it costs more than the rebuild that follows a restart without
// one (docs/decisions/0018-redis-cost.md).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { keptPort, untilListening } from "./ports.ts";
import { probeRedis } from "./probes.ts";
import { type Child, endByPidFile, endLeftovers, spawnRecorded } from "./processes.ts";
import { secretIn, writeWhole } from "./secret-file.ts";

export interface PrivateRedis extends Child {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
  /** After it has ended: starts it again on its port and folder. */
  again(): Promise<PrivateRedis>;
  /** Rejects unless it answers in time. */
  probe(limitMs: number): Promise<void>;
}

export interface PrivateRedisOptions {
  readonly port?: number;
  /** Keeps an append-only file, synced every second. Tests want Redis's past back with it. */
  readonly persistence?: boolean;
  /** Asks for a password, a random one that the folder keeps. */
  readonly password?: boolean;
  /** Niceness: how far it yields to the gateways of this machine. */
  readonly nice?: number;
  /** More of its settings, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Variables of its process. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Gateways refuse orders at nine tenths of it: ample for ten million orders, and well below what
 * the machine has.
 */
const MEMORY_LIMIT = "2gb";
const START_TIMEOUT_MS = 20_000;
const PID_FILE = "redis.pid";
export const REDIS_LOG = "redis.log";
const PASSWORD_BYTES = 24;

export async function startRedis(
  dir: string,
  options: PrivateRedisOptions = {},
): Promise<PrivateRedis> {
  mkdirSync(dir, { recursive: true });
  await endRedisIn(dir);
  const port = options.port ?? (await keptPort(dir));
  const password = options.password ? secretIn(join(dir, "password"), PASSWORD_BYTES) : undefined;
  const child = spawnRecorded({
    name: "redis",
    command: [
      Bun.which("redis-server") ?? "redis-server",
      // From a file: arguments can be read by every user of the machine.
      ...(password === undefined ? [] : [secretsFile(dir, password)]),
      ...settingsOf(dir, port, options),
    ],
    recordDir: join(dir, "run"),
    cwd: dir,
    logFile: join(dir, REDIS_LOG),
    nice: options.nice ?? 0,
    env: options.env,
  });
  try {
    await untilListening(port, START_TIMEOUT_MS, child.exited);
  } catch (error) {
    await child.kill();
    throw error;
  }
  const user = password === undefined ? "" : `:${password}@`;
  const again = () => startRedis(dir, { ...options, port });
  const probe = (limitMs: number) => probeRedis(port, limitMs);
  return { ...child, url: `redis://${user}127.0.0.1:${port}`, port, dir, again, probe };
}

/** Ends a Redis that an earlier run has left in this folder. */
export async function endRedisIn(dir: string): Promise<string[]> {
  const ended = await endLeftovers(join(dir, "run"));
  if (await endByPidFile(join(dir, PID_FILE), dir)) ended.push("redis");
  return ended;
}

function settingsOf(dir: string, port: number, options: PrivateRedisOptions): string[] {
  const settings: Record<string, string> = {
    port: String(port),
    bind: "127.0.0.1",
    dir,
    save: "",
    daemonize: "no",
    pidfile: join(dir, PID_FILE),
    maxmemory: MEMORY_LIMIT,
    appendonly: options.persistence ? "yes" : "no",
    appendfsync: "everysec",
    ...options.settings,
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

function secretsFile(dir: string, password: string): string {
  const file = join(dir, "redis.conf");
  writeWhole(file, `requirepass ${password}\n`);
  return file;
}
