// Every setting, as one table: its variable, its purpose, its default and its reader.

import { DEFAULT_SHARDS, MAX_SHARDS } from "../domain/shard.ts";
import { DEFAULT_DEDUP_WINDOW_MS } from "../stores/keys.ts";
import {
  duration,
  list,
  offOr,
  oneOf,
  type PublisherSetting,
  pageUrl,
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
import { REGION_SETTINGS } from "./setting-table-regions.ts";
import { TOKEN_SETTINGS } from "./setting-table-tokens.ts";
import { WEBHOOK_SETTINGS } from "./setting-table-webhooks.ts";

export interface Setting<T> {
  readonly variable: string;
  readonly says: string;
  readonly secret?: boolean;
  readonly fallback: T;
  /** `words`: the only values there are. */
  readonly read: ((text: string, variable: string) => T) & { readonly words?: readonly string[] };
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
    says: "brokers, home region first",
    secret: true,
    fallback: [] as readonly RegionSetting[],
    read: regions,
  },
  operatorRegions: {
    variable: "SLUICE_OPERATOR_REGIONS",
    says: "brokers with the operator's user, for dead letters; default: SLUICE_REGIONS",
    secret: true,
    fallback: [] as readonly RegionSetting[],
    read: regions,
  },
  publishers: {
    variable: "SLUICE_PUBLISHERS",
    says: "what each broker user may publish: user=gateway|payments|operator|service|all,…",
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
    says: "number of shards of a new store",
    fallback: DEFAULT_SHARDS,
    read: whole(1, MAX_SHARDS),
  },
  region: { variable: "SLUICE_REGION", says: "region of this gateway", fallback: "", read: text },
  ...REGION_SETTINGS,
  httpHost: {
    variable: "SLUICE_HTTP_HOST",
    says: "address a gateway listens on",
    fallback: "127.0.0.1",
    read: text,
  },
  httpPort: {
    variable: "SLUICE_HTTP_PORT",
    says: "port a gateway listens on; 0: any free port",
    fallback: 8080,
    read: whole(0, 65_535),
  },
  httpIdleMs: {
    variable: "SLUICE_HTTP_IDLE",
    says: "how long an idle connection stays open; set it longer than your load balancer's limit",
    fallback: 90_000,
    read: duration(10_000, 255_000),
  },
  reusePort: {
    variable: "SLUICE_REUSE_PORT",
    says: "let several gateways share the port (Linux)",
    fallback: "no",
    read: oneOf("no", "yes"),
  },
  ...TOKEN_SETTINGS,
  origins: {
    variable: "SLUICE_ORIGINS",
    says: "allowed browser origins, separated by commas",
    fallback: [] as readonly string[],
    read: list,
  },
  withoutGateway: {
    variable: "SLUICE_WITHOUT_GATEWAY",
    says: "regions that have no gateway on purpose, separated by commas: the verdict misses none",
    fallback: [] as readonly string[],
    read: list,
  },
  shop: {
    variable: "SLUICE_SHOP",
    says: "serve a demo shop at /shop, whose visitors get tokens without signing in",
    fallback: "no",
    read: oneOf("no", "yes"),
  },
  grafanaUrl: {
    variable: "SLUICE_GRAFANA_URL",
    says: "Grafana with the dashboard of deploy/grafana: the console links to it",
    fallback: "",
    read: pageUrl,
  },
  trustedProxies: {
    variable: "SLUICE_TRUSTED_PROXIES",
    says: "proxies whose X-Forwarded-For is trusted",
    fallback: [] as readonly string[],
    read: list,
  },
  gapTimeoutMs: {
    variable: "SLUICE_GAP_TIMEOUT",
    says: "how long to wait for a missing number",
    fallback: 30_000,
    read: duration(100, 3_600_000),
  },
  gapMaxMs: {
    variable: "SLUICE_GAP_MAX",
    says: "longest wait for a missing number, even while a region is away",
    fallback: 600_000,
    read: duration(100, 86_400_000),
  },
  clockStepMs: {
    variable: "SLUICE_CLOCK_STEP",
    says: "largest jump of Redis's clock to follow; after a larger one nothing is decided",
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
    says: "how long an unknown refund or given-up charge is looked up before an operator must act",
    fallback: 604_800_000,
    read: duration(1_000, 2_592_000_000),
  },
  webhookSecrets: {
    variable: "SLUICE_WEBHOOK_SECRET",
    says: "secrets the provider signs with, separated by commas; several during a rotation",
    secret: true,
    fallback: [] as readonly string[],
    read: webhookSecrets,
  },
  ratesSource: {
    variable: "SLUICE_RATES_SOURCE",
    says: "source of exchange rates: file:PATH, a URL, walk[:SEED]",
    secret: true,
    fallback: "walk",
    read: text,
  },
  ratesEveryMs: {
    variable: "SLUICE_RATES_EVERY",
    says: "how often rates are loaded",
    fallback: 5_000,
    read: duration(100, 3_600_000),
  },
  rateMaxAgeMs: {
    variable: "SLUICE_RATE_MAX_AGE",
    says: "how old a rate may be for a charge",
    fallback: 60_000,
    read: duration(1_000, 86_400_000),
  },
  rateMaxStep: {
    variable: "SLUICE_RATE_MAX_STEP",
    says: "the most a rate may change at once, in percent; a larger change waits for an operator",
    fallback: 10,
    read: whole(1, 100_000),
  },
  rateWaitMs: {
    variable: "SLUICE_RATE_WAIT",
    says: "how long an order waits for a missing rate",
    fallback: 5_000,
    read: duration(0, 600_000),
  },
  leaseMs: {
    variable: "SLUICE_LEASE_TTL",
    says: "a worker's lease on its shards",
    fallback: 3_000,
    read: duration(500, 60_000),
  },
  logLevel: {
    variable: "SLUICE_LOG_LEVEL",
    says: "lowest severity that is logged",
    fallback: "info" as "info" | "warn" | "error",
    read: oneOf("info", "warn", "error"),
  },
  metricsHost: {
    variable: "SLUICE_METRICS_HOST",
    says: "address of a role's metrics",
    fallback: "127.0.0.1",
    read: text,
  },
  metricsPort: {
    variable: "SLUICE_METRICS_PORT",
    says:
      "port of a role's metrics; 0: any free port, off: none " +
      "(gateways use SLUICE_GATEWAY_METRICS_PORT)",
    fallback: 0 as number | undefined,
    read: offOr(whole(0, 65_535)),
  },
  gatewayMetricsPort: {
    variable: "SLUICE_GATEWAY_METRICS_PORT",
    says: "port of a gateway's metrics and health; 0: any free port, off: with its clients",
    fallback: undefined as number | undefined,
    read: offOr(whole(0, 65_535)),
  },
  otlpUrl: {
    variable: "SLUICE_OTLP_URL",
    says: "OpenTelemetry collector for spans, OTLP over HTTP (http://host:4318); empty: none",
    secret: true,
    fallback: "",
    read: url("http", "https"),
  },
  targetWaitMs: {
    variable: "SLUICE_TARGET_WAIT",
    says: "target for an order's longest wait; gateways accept no more than it allows",
    fallback: 2_000,
    read: duration(100, 600_000),
  },
  stallOrders: {
    variable: "SLUICE_STALL_ORDERS",
    says: "orders per shard a gateway accepts while none of the shard's orders are decided",
    fallback: 20_000,
    read: whole(1, 1_000_000),
  },
  lateGatewayMs: {
    variable: "SLUICE_LATE_GATEWAY",
    says: "event-loop delay (median of 0.5 s) above which an overloaded gateway accepts less",
    fallback: 50,
    read: duration(5, 60_000),
  },
  userRate: {
    variable: "SLUICE_USER_RATE",
    says: "orders per second of one user at a gateway; 0: no limit",
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
    says: "orders per second of a region, shared by its gateways; 0: no limit",
    fallback: 0,
    read: whole(0, 1_000_000_000),
  },
  drainNoticeMs: {
    variable: "SLUICE_DRAIN_NOTICE",
    says: "how long a stopping gateway reports it at /readyz while it still accepts orders",
    fallback: 0,
    read: duration(0, 300_000),
  },
  soldOutAtGate: {
    variable: "SLUICE_SOLD_OUT_AT_GATE",
    says: "let the gateway answer unnumbered orders for sold-out items",
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
    says: "most orders per second a worker decides; 0: no limit",
    fallback: 0,
    read: whole(0, 100_000_000),
  },
  ...GOVERNOR_SETTINGS,
  ...WEBHOOK_SETTINGS,
  workerNice: {
    variable: "SLUICE_WORKER_NICE",
    says: "niceness of a worker beside gateways (0 to 19); the private Redis gets up to 4 of it",
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
    says: "entries of a shard between snapshots; a rebuild replays about this many at most",
    fallback: 2_000,
    read: whole(1, 1_000_000),
  },
  dataDir: {
    variable: "SLUICE_DATA",
    says: "directory of private services and the default ledger",
    fallback: ".sluice",
    read: text,
  },
} satisfies Record<string, Setting<unknown>>;
