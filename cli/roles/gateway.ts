// A gateway role: connects gateway/ to its region's broker, to Redis and to the ledger.
import { readFileSync } from "node:fs";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Units } from "../../core/domain/sale.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { SharedClock } from "../../core/stores/clock.ts";
import { Members } from "../../core/stores/members.ts";
import { allRates } from "../../core/stores/rate-store.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { AdmissionSettings, GatewayOptions, LettersPort } from "../../gateway/ports.ts";
import { type Gateway, startGateway } from "../../gateway/start.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import type { Log } from "../log.ts";
import { applyOperation } from "../operator/apply-operation.ts";
import { Letters } from "../operator/dead-letters.ts";
import { OperatorActions } from "../operator/operator-actions.ts";
import { Overviews } from "../operator/overview.ts";
import { ratesByHand } from "../operator/rates-by-hand.ts";
import { knownServices } from "../operator/services.ts";
import { workersByHand } from "../operator/workers-by-hand.ts";
import { Board } from "./board.ts";
import { GatewayBrokers, homeOf } from "./gateway-brokers.ts";
import { openParts } from "./gateway-parts.ts";
import { GatewayWatch } from "./gateway-watch.ts";
import { LedgerPulse } from "./ledger-pulse.ts";
import { announceMetrics } from "./metrics-server.ts";
import { openRedis, openSpans, requireStores } from "./parts.ts";
import { TimelineKeeper } from "./timeline-keeper.ts";
import type { RunningRole } from "./worker.ts";

export async function startGatewayRole(
  runtime: Runtime,
  settings: Settings,
  name: string,
  log: Log,
): Promise<RunningRole & { gateway: Gateway }> {
  requireStores(settings);
  const region = homeOf(settings);
  // A part's region is read from its gateway's id (core/domain/part.ts).
  const id = `${region.name}.${name}`;
  const { ledgerUrl, shards } = settings;
  const ledger = await openLedger({ runtime, url: ledgerUrl, shards, readsInThread: true });
  const writer = await openLedgerWriter(runtime, ledgerUrl);
  const redis = await openRedis(runtime, settings, log);
  const clock = new SharedClock(redis, { runtime, stepMs: settings.clockStepMs, log });
  await ignore(clock.start(), "clock_sync");
  const brokers = await GatewayBrokers.open({ runtime, settings, id, now: clock.now, log });
  const stock = new StockStore(redis);
  const pulse = new LedgerPulse(runtime, ledger, log);
  const spans = await openSpans(settings, "gateway", id);
  const { redisMemory, rateMaxAgeMs, withoutGateway } = settings;
  const overviews = new Overviews({
    ...{ runtime, redis, ledger, redisMemory, rateMaxAgeMs, withoutGateway, now: clock.now },
    own: () => gateway.report(),
  });
  const { links } = brokers;
  const parts = await openParts({ runtime, id, links, settings, writer, clock, log });
  const gateway = await startGateway({
    runtime,
    server: {
      id,
      region: region.name,
      host: settings.httpHost,
      port: settings.httpPort,
      reusePort: settings.reusePort === "yes",
      idleTimeoutS: Math.round(settings.httpIdleMs / 1_000),
      shards,
      metrics:
        settings.gatewayMetricsPort === undefined
          ? undefined
          : { host: settings.metricsHost, port: settings.gatewayMetricsPort },
    },
    access: {
      auth: authOptions(settings),
      origins: settings.origins,
      trustedProxies: settings.trustedProxies,
      consoleOidc: consoleOidc(settings),
      grafana: settings.grafanaUrl === "" ? undefined : settings.grafanaUrl,
      webhookSecrets: settings.webhookSecrets,
      webhookPrivate: settings.webhookPrivate === "allow",
      shop: settings.shop === "yes",
    },
    bounds: { admission: admissionSettings(settings) },
    clock: clock.now,
    broker: brokers.port,
    stores: {
      ledger,
      claimKeys: (claims, forgetBeforeMs) => writer.claimKeys(claims, forgetBeforeMs),
      stockOf: (saleId, skus) => liveStock(stock, ledger, saleId, skus),
      rates: () => allRates(redis),
      applyOperation: (operation) => applyOperation(runtime, ledger, stock, operation),
    },
    operator: {
      letters: lettersOf(runtime, settings, ledger),
      overview: () => overviews.look(),
      workers: workersByHand(redis),
      services: () => knownServices(ledger, redis),
      ratesByHand: ratesByHand(ledger, redis, settings),
    },
    parts: parts.port,
    ready: async () => {
      const { ok, detail } = brokers.readiness();
      // Both are needed for deciding, not for intake: meanwhile orders wait in the broker.
      return { ok, detail: { ...detail, redis: redis.state, ledger: pulse.state } };
    },
    telemetry: { spans, log },
  });
  const withdraw = announceMetrics(id, new URL(gateway.metricsUrl).host);
  log("metrics", { url: gateway.metricsUrl });
  const board = new Board(runtime, new Members(redis), gateway.report);
  const { admission } = gateway;
  const watch = new GatewayWatch({
    runtime,
    redis,
    admission,
    id,
    region: () => brokers.publishesTo,
    silent: () => brokers.silent,
    home: region.name,
    shards,
    redisMemory,
    now: clock.now,
  });
  const actions = new OperatorActions(ledger, runtime.wallMs);
  const look = () => overviews.look();
  const keeper = new TimelineKeeper({ runtime, id, overview: look, writer, actions });
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    gateway.leave();
    await runtime.sleep(settings.drainNoticeMs);
    watch.stop();
    keeper.stop();
    pulse.stop();
    withdraw();
    await gateway.close();
    await board.stop();
    clock.stop();
    await parts.stop();
    await brokers.close();
    await writer.close();
    await ledger.close();
    await redis.close();
    await spans?.close();
    log("gateway stopped", { id });
  };
  return {
    gateway,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function admissionSettings(settings: Settings): AdmissionSettings {
  const {
    targetWaitMs,
    stallOrders,
    lateGatewayMs,
    userRate,
    userBurst,
    regionRate,
    soldOutAtGate,
  } = settings;
  return {
    targetWaitMs,
    stallOrders,
    lateMs: lateGatewayMs,
    userPerSecond: userRate,
    userBurst,
    regionPerSecond: regionRate,
    soldOutAtGate: soldOutAtGate === "yes",
  };
}

/** The one key that verifies tokens, as configured. */
function consoleOidc(settings: Settings): GatewayOptions["access"]["consoleOidc"] {
  const { consoleOidcIssuer: issuer, consoleOidcClient: clientId } = settings;
  if (issuer === "") return undefined;
  return { issuer, clientId, scope: settings.consoleOidcScope };
}

function authOptions(settings: Settings): GatewayOptions["access"]["auth"] {
  const {
    jwtAlgorithm: algorithm,
    jwtIssuer: issuer,
    jwtAudience: audience,
    jwtSecret,
    jwtPublicKey,
    jwks,
  } = settings;
  return {
    algorithm,
    issuer,
    audience,
    key: keyOf(algorithm, jwtSecret, jwtPublicKey, jwks),
    type: settings.jwtType,
    toleranceMs: settings.jwtToleranceMs,
    maxLifeMs: settings.jwtMaxLifeMs,
    claims: {
      user: settings.jwtUserClaim,
      audience: settings.jwtAudienceClaim,
      scope: settings.jwtScopeClaim,
    },
  };
}

function keyOf(
  algorithm: Settings["jwtAlgorithm"],
  secret: string,
  pemFile: string,
  jwks: string,
): GatewayOptions["access"]["auth"]["key"] {
  if (algorithm === "HS256") {
    if (secret === "") throw new SettingError("SLUICE_JWT_SECRET is not set, and HS256 needs it");
    return { kind: "secret", secret };
  }
  if (/^https?:/.test(jwks)) return { kind: "jwksUrl", url: jwks };
  if (jwks !== "") return { kind: "jwks", jwks: JSON.parse(readKey(jwks, "SLUICE_JWKS")) };
  if (pemFile !== "") return { kind: "pem", pem: readKey(pemFile, "SLUICE_JWT_PUBLIC_KEY") };
  throw new SettingError(`SLUICE_JWT_PUBLIC_KEY or SLUICE_JWKS must be set for ${algorithm}`);
}

function readKey(file: string, variable: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new SettingError(`${variable}: '${file}' cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Opened for each call: operators look rarely, and a gateway needs no other region's broker
 * otherwise.
 */
function lettersOf(runtime: Runtime, settings: Settings, ledger: Ledger): LettersPort {
  const on = async <T>(work: (letters: Letters) => Promise<T>): Promise<T> => {
    const letters = await Letters.open(runtime, settings, ledger);
    try {
      return await work(letters);
    } finally {
      await letters.close();
    }
  };
  return {
    list: (filter, limit) => on((letters) => letters.list(filter, limit)),
    redrive: (filter, limit, subject) => on((letters) => letters.redrive(filter, limit, subject)),
    drop: (filter, limit, subject) => on((letters) => letters.drop(filter, limit, subject)),
  };
}

/** Redis's counters. A retired sale's come from the ledger. */
async function liveStock(
  store: StockStore,
  ledger: Ledger,
  saleId: string,
  skus: readonly string[],
): Promise<readonly Units[] | undefined> {
  const live = await store.stock(saleId, skus);
  if (!live && (await store.isRetired(saleId))) return ledger.stock(saleId);
  return live && [...live.values()];
}
