// The Redis, RabbitMQ and ledger of this machine. Each is a private one under the data folder,
// unless the settings name another.
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { accountsOf, serviceUser } from "../broker/accounts.ts";
import { urlsOf } from "../broker/region.ts";
import { webhookSecretOf } from "../core/domain/webhook-signature.ts";
import type { Settings } from "../core/settings/settings.ts";
import { brokerFolders, type PrivateBrokers, startBrokers } from "./brokers.ts";
import { Keeper } from "./keeper.ts";
import { removeKept } from "./kept.ts";
import { endLeftovers } from "./processes.ts";
import { endRabbitIn, RABBIT_LOG } from "./rabbitmq.ts";
import { endRedisIn, type PrivateRedis, REDIS_LOG, startRedis } from "./redis.ts";
import { secretIn } from "./secret-file.ts";

export interface LocalServices {
  /** SLUICE_* variables that lead roles to these services. */
  readonly env: Readonly<Record<string, string>>;
  /** Extra variables for a kind of role: broker URLs with the role's own user. */
  roleEnv(kind: string, service?: string): Readonly<Record<string, string>>;
  readonly redis: PrivateRedis | undefined;
  readonly brokers: PrivateBrokers | undefined;
  /** From now on, a service that ends by itself or does not serve is started again. */
  keep(): void;
  stop(): Promise<void>;
  /** Ends at once those that are not kept running: for a system that is thrown away. */
  kill(): Promise<void>;
}

/** The regions of private brokers, one virtual host each. */
export const LOCAL_REGIONS = ["eu", "us"] as const;
/**
 * Redis yields to the gateways and the broker, which accept orders, but not to the workers, whose
 * calls it must answer quickly.
 */
const REDIS_NICE = 4;
const SECRET_BYTES = 48;
/** Standard Webhooks wants 24 to 64. */
const WEBHOOK_SECRET_BYTES = 32;
/** A private node has one user per role, and only these users may publish. */
const PRIVATE_PUBLISHERS = "gateway=gateway,payments=payments,operator=operator,service-*=service";
const NO_ENV = {};

const REDIS_DIR = "redis";
const ROLES_DIR = "roles";
const BROKER_DIRS = brokerFolders(LOCAL_REGIONS);
/** Folders under the data folder where private services record their processes. */
export const SERVICE_FOLDERS = [REDIS_DIR, ...BROKER_DIRS, ROLES_DIR] as const;

export interface LocalOptions {
  readonly settings: Settings;
  readonly say: (line: string) => void;
  /** Services that process parts: each has a user of the brokers. */
  readonly processing?: readonly string[];
  /** Redis asks for a password. */
  readonly password?: boolean;
}

export async function startLocalServices(options: LocalOptions): Promise<LocalServices> {
  const { settings, say } = options;
  const dir = resolve(settings.dataDir);
  mkdirSync(dir, { recursive: true });
  removeKept(dir);
  const ended = await endLocalLeftovers(dir);
  if (ended.length > 0) say(`stopped processes left by an earlier run: ${ended.join(", ")}`);
  const { redis, brokers } = await startStores(dir, options);
  let keeper: Keeper | undefined;
  return {
    ...envFor(dir, settings, redis, brokers),
    redis,
    brokers,
    keep: () => {
      keeper = keeperOf(dir, say, { redis, brokers });
    },
    stop: async () => {
      if (!keeper) return void (await Promise.all([redis?.stop(), brokers?.stop()]));
      await keeper.stop();
      await endLocalLeftovers(dir);
    },
    kill: async () => {
      await Promise.all([redis?.kill(), brokers?.kill()]);
    },
  };
}

/** Ends what is recorded below a data folder, roles first. Returns the names. */
export async function endLocalLeftovers(dir: string): Promise<string[]> {
  const roles = await endLeftovers(join(dir, ROLES_DIR, "run"));
  const services = await Promise.all([
    existsSync(join(dir, REDIS_DIR)) ? endRedisIn(join(dir, REDIS_DIR)) : [],
    ...BROKER_DIRS.map((name) => join(dir, name))
      .filter((folder) => existsSync(folder))
      .map(endRabbitIn),
  ]);
  return [...roles, ...services.flat()];
}

interface Stores {
  readonly redis: PrivateRedis | undefined;
  readonly brokers: PrivateBrokers | undefined;
}

/** Both or none: if one does not start, the other is ended. */
async function startStores(dir: string, options: LocalOptions): Promise<Stores> {
  const { settings, say, processing = [], password = false } = options;
  const wantRedis = settings.redisUrl === "";
  const wantRabbit = settings.regions.length === 0;
  const wanted = [wantRedis && "Redis", wantRabbit && "RabbitMQ"].filter(Boolean);
  if (wanted.length > 0) say(`starting ${wanted.join(" and ")} under ${settings.dataDir}/`);
  const nice = Math.min(REDIS_NICE, settings.workerNice);
  const [redis, brokers] = await Promise.allSettled([
    wantRedis ? startRedis(join(dir, REDIS_DIR), { nice, password }) : undefined,
    wantRabbit
      ? startBrokers(dir, {
          layout: settings.brokers,
          regions: LOCAL_REGIONS,
          accounts: accountsOf(processing),
        })
      : undefined,
  ]);
  if (redis.status === "fulfilled" && brokers.status === "fulfilled")
    return { redis: redis.value, brokers: brokers.value };
  if (redis.status === "fulfilled") await redis.value?.stop();
  if (brokers.status === "fulfilled") await brokers.value?.stop();
  throw redis.status === "rejected" ? redis.reason : (brokers as PromiseRejectedResult).reason;
}

/** The variables that lead roles to the services. */
function envFor(
  dir: string,
  settings: Settings,
  redis: PrivateRedis | undefined,
  brokers: PrivateBrokers | undefined,
): Pick<LocalServices, "env" | "roleEnv"> {
  const urls = (user: string) =>
    LOCAL_REGIONS.map((name) => `${name}=${brokers?.url(name, user)}`).join(",");
  const named = settings.regions.map((region) => `${region.name}=${urlsOf(region)}`).join(",");
  return {
    roleEnv: (kind, service) => {
      if (!brokers) return NO_ENV;
      if (kind === "fulfil") return { SLUICE_REGIONS: urls(serviceUser(service ?? "")) };
      const own = { SLUICE_REGIONS: urls(kind) };
      return kind === "gateway" ? { ...own, SLUICE_OPERATOR_REGIONS: urls("operator") } : own;
    },
    env: {
      SLUICE_REDIS_URL: redis?.url ?? settings.redisUrl,
      SLUICE_REGIONS: brokers ? urls("operator") : named,
      ...(brokers ? { SLUICE_PUBLISHERS: PRIVATE_PUBLISHERS } : {}),
      SLUICE_LEDGER_URL: settings.ledgerUrl || localLedger(dir),
      SLUICE_SHARDS: String(settings.shards),
      ...(settings.jwtAlgorithm === "HS256"
        ? {
            SLUICE_JWT_SECRET:
              settings.jwtSecret || secretIn(join(dir, "jwt-secret"), SECRET_BYTES),
          }
        : {}),
    },
  };
}

export const localLedger = (dir: string): string => `sqlite:${join(dir, "ledger.db")}`;

function keeperOf(dir: string, say: (line: string) => void, { redis, brokers }: Stores): Keeper {
  const keeper = new Keeper({ dir, say });
  if (redis) keeper.keep("Redis", redis, join(redis.dir, REDIS_LOG));
  const nodes = brokers?.nodes ?? [];
  for (const node of nodes) {
    const name = nodes.length > 1 ? `RabbitMQ (${node.node})` : "RabbitMQ";
    keeper.keep(name, node, join(node.dir, RABBIT_LOG));
  }
  return keeper;
}

/**
 * The secret that a provider signs its webhooks with, in the form that libraries of Standard
 * Webhooks take. An earlier version's, plain text, is kept.
 */
export function localWebhookSecret(dir: string): string {
  return secretIn(join(dir, "webhook-secret"), WEBHOOK_SECRET_BYTES, webhookSecretOf);
}
