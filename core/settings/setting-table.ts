// Every setting of Sluice, as one table: its variable, what it is for, its default, and how it is
// read.

import { DEFAULT_SHARDS, MAX_SHARDS } from "../domain/shard.ts";
import { DEFAULT_DEDUP_WINDOW_MS } from "../stores/keys.ts";
import {
  duration,
  list,
  offOr,
  oneOf,
  type PublisherSetting,
  publishers,
  type RegionSetting,
  regions,
  retryDelays,
  text,
  url,
  webhookSecrets,
  whole,
} from "./setting-readers.ts";
import { GOVERNOR_SETTINGS } from "./setting-table-governor.ts";

export interface Setting<T> {
  readonly variable: string;
  readonly says: string;
  readonly secret?: boolean;
  readonly fallback: T;
  readonly read: (text: string, variable: string) => T;
}

export const SETTINGS = {
  redisUrl: {
    variable: "SLUICE_REDIS_URL",
    says: "Redis or Valkey",
    secret: true,
    fallback: "",
    read: url("redis", "rediss"),
  },
  regions: {
    variable: "SLUICE_REGIONS",
    says: "brokers, the home region first",
    secret: true,
    fallback: [] as readonly RegionSetting[],
    read: regions,
  },
  operatorRegions: {
    variable: "SLUICE_OPERATOR_REGIONS",
    says: "brokers as the operator's user, for dead letters; as SLUICE_REGIONS by default",
    secret: true,
    fallback: [] as readonly RegionSetting[],
    read: regions,
  },
  publishers: {
    variable: "SLUICE_PUBLISHERS",
    says: "what each user of the brokers may publish: user=gateway|payments|operator|service|all,…",
    fallback: [] as readonly PublisherSetting[],
    read: publishers,
  },
  ledgerUrl: {
    variable: "SLUICE_LEDGER_URL",
    says: "ledger",
    secret: true,
    fallback: "",
    read: url("sqlite", "postgres", "postgresql"),
  },
  shards: {
    variable: "SLUICE_SHARDS",
    says: "shards of a new store",
    fallback: DEFAULT_SHARDS,
    read: whole(1, MAX_SHARDS),
  },
  region: { variable: "SLUICE_REGION", says: "region of this gateway", fallback: "", read: text },
  httpHost: {
    variable: "SLUICE_HTTP_HOST",
    says: "address a gateway listens on",
    fallback: "127.0.0.1",
    read: text,
  },
  httpPort: {
    variable: "SLUICE_HTTP_PORT",
    says: "port a gateway listens on; 0 takes a free one",
    fallback: 8080,
    read: whole(0, 65_535),
  },
  reusePort: {
    variable: "SLUICE_REUSE_PORT",
    says: "several gateways share the port (Linux)",
    fallback: "no",
    read: oneOf("no", "yes"),
  },
  jwtAlgorithm: {
    variable: "SLUICE_JWT_ALGORITHM",
    says: "the one algorithm tokens may be signed with",
    fallback: "HS256" as "HS256" | "RS256" | "ES256" | "EdDSA",
    read: oneOf("HS256", "RS256", "ES256", "EdDSA"),
  },
  jwtSecret: {
    variable: "SLUICE_JWT_SECRET",
    says: "secret for HS256",
    secret: true,
    fallback: "",
    read: text,
  },
  jwtPublicKey: {
    variable: "SLUICE_JWT_PUBLIC_KEY",
    says: "PEM file of the public key",
    fallback: "",
    read: text,
  },
  jwks: { variable: "SLUICE_JWKS", says: "file or URL of a key set", fallback: "", read: text },
  jwtIssuer: {
    variable: "SLUICE_JWT_ISSUER",
    says: "iss a token must have",
    fallback: "sluice",
    read: text,
  },
  jwtAudience: {
    variable: "SLUICE_JWT_AUDIENCE",
    says: "aud a token must have",
    fallback: "sluice",
    read: text,
  },
  origins: {
    variable: "SLUICE_ORIGINS",
    says: "origins of browsers, separated by commas",
    fallback: [] as readonly string[],
    read: list,
  },
  trustedProxies: {
    variable: "SLUICE_TRUSTED_PROXIES",
    says: "proxies whose X-Forwarded-For counts",
    fallback: [] as readonly string[],
    read: list,
  },
  gapTimeoutMs: {
    variable: "SLUICE_GAP_TIMEOUT",
    says: "how long a missing number is waited for",
    fallback: 30_000,
    read: duration(100, 3_600_000),
  },
  gapMaxMs: {
    variable: "SLUICE_GAP_MAX",
    says: "… even while a region is away",
    fallback: 600_000,
    read: duration(100, 86_400_000),
  },
  clockStepMs: {
    variable: "SLUICE_CLOCK_STEP",
    says: "a Redis clock that jumps by more is not followed, and nothing is decided by it",
    fallback: 5_000,
    read: duration(1_000, 31_536_000_000),
  },
  dedupWindowMs: {
    variable: "SLUICE_DEDUP_WINDOW",
    says: "how long Redis remembers an order",
    fallback: DEFAULT_DEDUP_WINDOW_MS,
    read: duration(660_000, 86_400_000),
  },
  holdTtlMs: {
    variable: "SLUICE_HOLD_TTL",
    says: "how long stock is held for an order whose charge has not started",
    fallback: 600_000,
    read: duration(1_000, 86_400_000),
  },
  retryDelaysMs: {
    variable: "SLUICE_RETRY_DELAYS",
    says: "waits before the three retries of a charge",
    fallback: [1_000, 4_000, 16_000] as readonly number[],
    read: retryDelays,
  },
  providerUrl: {
    variable: "SLUICE_PROVIDER_URL",
    says: "payment provider",
    secret: true,
    fallback: "",
    read: url("http", "https"),
  },
  providerTimeoutMs: {
    variable: "SLUICE_PROVIDER_TIMEOUT",
    says: "wait for the provider's answer before it counts as unknown",
    fallback: 5_000,
    read: duration(50, 120_000),
  },
  unknownMaxMs: {
    variable: "SLUICE_UNKNOWN_MAX",
    says: "how long a charge may stay unknown before its order is given up",
    fallback: 3_600_000,
    read: duration(1_000, 604_800_000),
  },
  settleMaxMs: {
    variable: "SLUICE_SETTLE_MAX",
    says: "how long a refund, or a charge whose order was given up, is asked about before an operator has to see to it",
    fallback: 604_800_000,
    read: duration(1_000, 2_592_000_000),
  },
  webhookSecrets: {
    variable: "SLUICE_WEBHOOK_SECRET",
    says: "secrets the provider signs with, separated by commas; several while one replaces another",
    secret: true,
    fallback: [] as readonly string[],
    read: webhookSecrets,
  },
  ratesSource: {
    variable: "SLUICE_RATES_SOURCE",
    says: "where exchange rates come from: file:PATH, a URL, walk[:SEED]",
    secret: true,
    fallback: "walk",
    read: text,
  },
  ratesEveryMs: {
    variable: "SLUICE_RATES_EVERY",
    says: "how often they are loaded",
    fallback: 5_000,
    read: duration(100, 3_600_000),
  },
  rateMaxAgeMs: {
    variable: "SLUICE_RATE_MAX_AGE",
    says: "how old a rate may be to charge by it",
    fallback: 60_000,
    read: duration(1_000, 86_400_000),
  },
  rateWaitMs: {
    variable: "SLUICE_RATE_WAIT",
    says: "how long an order waits for a missing rate",
    fallback: 5_000,
    read: duration(0, 600_000),
  },
  leaseMs: {
    variable: "SLUICE_LEASE_TTL",
    says: "lease of a worker on its shards",
    fallback: 3_000,
    read: duration(500, 60_000),
  },
  logLevel: {
    variable: "SLUICE_LOG_LEVEL",
    says: "the least severe events that are logged",
    fallback: "info" as "info" | "warn" | "error",
    read: oneOf("info", "warn", "error"),
  },
  metricsHost: {
    variable: "SLUICE_METRICS_HOST",
    says: "address of a role's metrics (a gateway shows them itself)",
    fallback: "127.0.0.1",
    read: text,
  },
  metricsPort: {
    variable: "SLUICE_METRICS_PORT",
    says: "port of a role's metrics; 0 takes a free one, off: none",
    fallback: 0 as number | undefined,
    read: offOr(whole(0, 65_535)),
  },
  otlpUrl: {
    variable: "SLUICE_OTLP_URL",
    says: "OpenTelemetry collector for what was done under recorded traces, OTLP over HTTP (http://host:4318); none: nothing is sent",
    fallback: "",
    read: url("http", "https"),
  },
  targetWaitMs: {
    variable: "SLUICE_TARGET_WAIT",
    says: "how long an order should wait for its outcome at most; gateways take no more in than that",
    fallback: 2_000,
    read: duration(100, 600_000),
  },
  stallOrders: {
    variable: "SLUICE_STALL_ORDERS",
    says: "orders a gateway takes in of a shard while nothing of it is decided",
    fallback: 5_000,
    read: whole(1, 1_000_000),
  },
  lateGatewayMs: {
    variable: "SLUICE_LATE_GATEWAY",
    says: "a gateway whose event loop runs later than this, in the median of half a second, while more is asked for than is decided takes less in",
    fallback: 50,
    read: duration(5, 60_000),
  },
  userRate: {
    variable: "SLUICE_USER_RATE",
    says: "orders a second of one user at a gateway; 0 for any",
    fallback: 10,
    read: whole(0, 1_000_000),
  },
  userBurst: {
    variable: "SLUICE_USER_BURST",
    says: "orders a user may place at once",
    fallback: 100,
    read: whole(1, 1_000_000),
  },
  regionRate: {
    variable: "SLUICE_REGION_RATE",
    says: "orders a second of a region, shared by its gateways; 0 for any",
    fallback: 0,
    read: whole(0, 1_000_000_000),
  },
  drainNoticeMs: {
    variable: "SLUICE_DRAIN_NOTICE",
    says: "how long a gateway that is told to stop says so at /readyz and takes orders in all the same, so that a balancer can send them elsewhere",
    fallback: 0,
    read: duration(0, 300_000),
  },
  soldOutAtGate: {
    variable: "SLUICE_SOLD_OUT_AT_GATE",
    says: "unnumbered orders for sold-out items are answered by the gateway",
    fallback: "yes",
    read: oneOf("yes", "no"),
  },
  redisMemory: {
    variable: "SLUICE_REDIS_MEMORY",
    says: "MB that Redis may use; 0: its own maxmemory",
    fallback: 0,
    read: whole(0, 100_000_000),
  },
  workerRate: {
    variable: "SLUICE_WORKER_RATE",
    says: "orders a second a worker decides at most; 0: as many as it can",
    fallback: 0,
    read: whole(0, 100_000_000),
  },
  ...GOVERNOR_SETTINGS,
  workerNice: {
    variable: "SLUICE_WORKER_NICE",
    says: "how far a worker steps back for the gateways of its machine (0 to 19); the private Redis does by up to 4 of it",
    fallback: 10,
    read: whole(0, 19),
  },
  confirmTimeoutMs: {
    variable: "SLUICE_CONFIRM_TIMEOUT",
    says: "wait for a confirm before it counts as unknown",
    fallback: 10_000,
    read: duration(100, 120_000),
  },
  snapshotEntries: {
    variable: "SLUICE_SNAPSHOT_ENTRIES",
    says: "entries of a shard between two snapshots; a rebuild reads at most about as many again",
    fallback: 2_000,
    read: whole(1, 1_000_000),
  },
  dataDir: {
    variable: "SLUICE_DATA",
    says: "folder of private services and the default ledger",
    fallback: ".sluice",
    read: text,
  },
} satisfies Record<string, Setting<unknown>>;
