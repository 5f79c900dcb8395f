// The Redis, RabbitMQ and ledger of this machine. Each is a private one under the data folder,
// unless the settings name another.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { accountsOf, serviceUser } from "../broker/accounts.ts";
import { urlsOf } from "../broker/region.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Settings } from "../core/settings/settings.ts";
import { brokerFolders, type PrivateBrokers, startBrokers } from "./brokers.ts";
import { endLeftovers } from "./processes.ts";
import { type PrivateRedis, startRedis } from "./redis.ts";

export interface LocalServices {
  /** SLUICE_* variables that lead roles to these services. */
  readonly env: Readonly<Record<string, string>>;
  /** Extra variables for a kind of role: broker URLs with the role's own user. */
  roleEnv(kind: string, service?: string): Readonly<Record<string, string>>;
  readonly redis: PrivateRedis | undefined;
  readonly brokers: PrivateBrokers | undefined;
  stop(): Promise<void>;
}

/** The regions of private brokers, one virtual host each. */
export const LOCAL_REGIONS = ["eu", "us"] as const;
/**
 * Redis yields to the gateways and the broker, which accept orders, but not to the workers, whose
 * calls it must answer quickly.
 */
const REDIS_NICE = 4;
const SECRET_BYTES = 48;
/** A private node has one user per role, and only these users may publish. */
const PRIVATE_PUBLISHERS = "gateway=gateway,payments=payments,operator=operator,service-*=service";
const NO_ENV = {};

/** Folders under the data folder where private services record their processes. */
export const SERVICE_FOLDERS = ["redis", ...brokerFolders(LOCAL_REGIONS), "roles"] as const;

export async function startLocalServices(
  settings: Settings,
  say: (line: string) => void,
  processing: readonly string[] = [],
): Promise<LocalServices> {
  const dir = resolve(settings.dataDir);
  mkdirSync(dir, { recursive: true });
  for (const name of SERVICE_FOLDERS) {
    const ended = await endLeftovers(join(dir, name, "run"));
    if (ended.length > 0) say(`stopped processes left by an earlier run: ${ended.join(", ")}`);
  }
  const wantRedis = settings.redisUrl === "";
  const wantRabbit = settings.regions.length === 0;
  if (wantRedis || wantRabbit)
    say(
      "starting " +
        `${[wantRedis && "Redis", wantRabbit && "RabbitMQ"].filter(Boolean).join(" and ")} ` +
        `under ${settings.dataDir}/`,
    );
  const [redis, brokers] = await Promise.all([
    wantRedis
      ? startRedis(join(dir, "redis"), { nice: Math.min(REDIS_NICE, settings.workerNice) })
      : undefined,
    wantRabbit
      ? startBrokers(dir, {
          layout: settings.brokers,
          regions: LOCAL_REGIONS,
          accounts: accountsOf(processing),
        })
      : undefined,
  ]);
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
      SLUICE_LEDGER_URL: settings.ledgerUrl || `sqlite:${join(dir, "ledger.db")}`,
      SLUICE_SHARDS: String(settings.shards),
      ...(settings.jwtAlgorithm === "HS256"
        ? { SLUICE_JWT_SECRET: settings.jwtSecret || localSecret(dir, "jwt-secret") }
        : {}),
    },
    redis,
    brokers,
    stop: async () => {
      await Promise.all([redis?.stop(), brokers?.stop()]);
    },
  };
}

/** A secret of this machine, created once and readable only by the user who created it. */
export function localSecret(dir: string, name: "jwt-secret" | "webhook-secret"): string {
  const file = join(dir, name);
  if (!existsSync(file)) {
    writeFileSync(file, Buffer.from(realRuntime.randomBytes(SECRET_BYTES)).toString("base64url"), {
      mode: 0o600,
    });
    chmodSync(file, 0o600);
  }
  return readFileSync(file, "utf8");
}
