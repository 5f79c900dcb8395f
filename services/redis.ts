// A private redis-server on loopback with its own port and folder. It writes nothing to disk: no
// guarantee depends on a file, and it costs more than the rebuild that follows a restart without
// one (docs/decisions/0018-redis-cost.md).
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { freePort, untilListening } from "./ports.ts";
import { type Child, endByPidFile, endLeftovers, spawnRecorded } from "./processes.ts";

export interface PrivateRedis extends Child {
  readonly url: string;
  readonly port: number;
  readonly dir: string;
}

export interface PrivateRedisOptions {
  readonly port?: number;
  /** Keeps an append-only file, synced every second. Tests want Redis's past back with it. */
  readonly persistence?: boolean;
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

export async function startRedis(
  dir: string,
  options: PrivateRedisOptions = {},
): Promise<PrivateRedis> {
  mkdirSync(dir, { recursive: true });
  const pidFile = join(dir, "redis.pid");
  await endLeftovers(join(dir, "run"));
  await endByPidFile(pidFile, dir);
  const port = options.port ?? (await freePort());
  const settings = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--dir",
    dir,
    "--save",
    "",
    "--daemonize",
    "no",
    "--pidfile",
    pidFile,
  ];
  settings.push(
    "--maxmemory",
    MEMORY_LIMIT,
    "--appendonly",
    options.persistence ? "yes" : "no",
    "--appendfsync",
    "everysec",
  );
  for (const [name, value] of Object.entries(options.settings ?? {}))
    settings.push(`--${name}`, value);
  const child = spawnRecorded({
    name: "redis",
    command: [Bun.which("redis-server") ?? "redis-server", ...settings],
    recordDir: join(dir, "run"),
    cwd: dir,
    logFile: join(dir, "redis.log"),
    nice: options.nice ?? 0,
    env: options.env,
  });
  await untilListening(port, START_TIMEOUT_MS, child.exited);
  return { ...child, url: `redis://127.0.0.1:${port}`, port, dir };
}
