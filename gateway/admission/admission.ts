// ① admit: whether to accept an order at all. Asked before anything expensive is done with the
// order, and answered from this process's own figures.
//
//   draining, broker, Redis's memory, a late gateway (pace.ts) ─▶ 503 for all
//   the shard's lag (shard-lag.ts) ─▶ 503
//   the user's or the region's bucket ─▶ 429
//
// 1. A refused order has no effect: a token that it took is returned.
// 2. While any order may be shed, each is checked for room before it is parsed.

import { at } from "../../core/domain/at.ts";
import type { AdmissionState, ShardAdmission } from "../../core/domain/report.ts";
import { LoopDelay } from "../../core/metrics/loop-delay.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { awaySoon, Problem, shedFor, shedSoon } from "../http/problem.ts";
import type { Batch, Estimate } from "../intake/batch.ts";
import { Pace } from "./pace.ts";
import { ShardLag, TICK_MS } from "./shard-lag.ts";
import { type BucketSize, TokenBuckets } from "./token-bucket.ts";

export interface AdmissionOptions {
  readonly runtime: Runtime;
  readonly shards: number;
  /** The longest an order should wait for its outcome, ms. */
  readonly targetMs: number;
  /** How many orders of a shard may wait while none are decided. */
  readonly stallOrders: number;
  /** The gateway is late when the median delay of its event loop exceeds this, ms (pace.ts). */
  readonly lateMs: number;
  /** undefined: no limit. */
  readonly user?: BucketSize;
  /** Orders per second of the whole region; share() sets this gateway's share. */
  readonly regionPerSecond?: number;
  readonly brokerBlocked: () => boolean;
  readonly onChange?: (state: AdmissionState, reasons: readonly string[]) => void;
}

/** What other processes report about a shard. */
export interface ShardNews {
  readonly shard: number;
  /** Orders of other gateways that are pending there. */
  readonly pendingElsewhere: number;
  /**
   * When its owner last had nothing left to do (monotonic ms here); undefined: it is busy, or
   * unknown.
   */
  readonly emptyAtMs?: number | undefined;
  /** The region that this is about; undefined: the gateway's own. */
  readonly region?: string | undefined;
}

/** Whatever the target wait. */
const MAX_RETRY_AFTER_S = 60;
const REGION_KEY = "";
/** How often the event loop's delay is sampled while there are orders, and for a while after. */
const SAMPLE_MS = 10;
/** After this many ticks without an order only the ticks themselves show a delay. */
const REST_TICKS = 20;

export class Admission {
  /** The gateway is closing. */
  draining = false;
  private memoryFull = false;
  private readonly lags: ShardLag[];
  private readonly elsewhere: number[];
  private readonly users: TokenBuckets | undefined;
  /** The user's bucket as in the header RateLimit-Policy. */
  private readonly policy: string;
  private region: TokenBuckets | undefined;
  private readonly now: () => number;
  private readonly random: () => number;
  private timer: Timer | undefined;
  /** undefined at rest. */
  private loop: LoopDelay | undefined;
  private restTicks = 0;
  private lastTickMs: number;
  private readonly pace: Pace;
  /**
   * Whether any order may be shed, as of the last tick. While false, orders are parsed without
   * asking shuts() first.
   */
  pressed = false; // 2
  private said = "open";

  constructor(private readonly options: AdmissionOptions) {
    const { runtime, shards, user, targetMs, lateMs, stallOrders } = options;
    this.now = runtime.monotonicMs;
    this.random = runtime.random;
    this.lastTickMs = this.now();
    this.pace = new Pace(lateMs, stallOrders * shards);
    this.lags = Array.from(
      { length: shards },
      (_, shard) => new ShardLag({ targetMs, stallOrders, phase: shard / shards }),
    );
    this.elsewhere = Array(shards).fill(0);
    this.users = user && new TokenBuckets(user);
    const fillMs = this.users?.fillMs ?? 0;
    this.policy = `"user";q=${user?.burst};w=${Math.ceil(fillMs / 1_000)}`;
    this.share(1);
  }

  start(): void {
    this.timer = this.options.runtime.startInterval(() => this.tick(), TICK_MS);
    this.stir();
  }

  stop(): void {
    this.options.runtime.stopTimer(this.timer);
    this.timer = undefined;
    this.rest();
  }

  /** Why an order of this shard is shed now; undefined: it is accepted. */
  shuts(shard: number): Problem | undefined {
    const shut = this.shutsAll();
    if (shut) return shut;
    const lag = at(this.lags, shard);
    if (lag.room(lag.state === "open" ? 0 : this.now())) return undefined;
    this.pace.turned();
    return this.full(lag);
  }

  /** Why orders of every shard are shed. */
  shutsAll(): Problem | undefined {
    const closed = this.closed();
    if (closed) return closed;
    if (this.memoryFull || (this.pace.bounded && !this.pace.room(this.now())))
      return shedSoon(this.random);
    return undefined;
  }

  /** Why nothing at all can be published now. */
  closed(): Problem | undefined {
    if (this.options.brokerBlocked()) return awaySoon("broker", this.random);
    return this.draining ? awaySoon("closing", this.random) : undefined;
  }

  /** Takes one token of the user and one of the region, or returns whose bucket is empty. */
  charge(user: string): Problem | undefined {
    const { users, region } = this;
    if (!users && !region) return undefined;
    const nowMs = this.now();
    const userWait = users ? users.take(user, nowMs) : 0;
    if (userWait > 0) return limited("user", userWait);
    const regionWait = region ? region.take(REGION_KEY, nowMs) : 0;
    if (regionWait === 0) return undefined;
    users?.giveBack(user); // 1
    return limited("region", regionWait * (1 + this.random()));
  }

  /** The headers of draft-ietf-httpapi-ratelimit-headers for a user's bucket. */
  headers(user: string): Record<string, string> | undefined {
    const { users } = this;
    if (!users) return undefined;
    const { left, fullInMs } = users.look(user, this.now());
    return {
      "ratelimit-policy": this.policy,
      ratelimit: `"user";r=${left};t=${Math.ceil(fullInMs / 1_000)}`,
    };
  }

  /** `own`: how many of the pending orders are the caller's. */
  estimate(shard: number, own: number): Estimate {
    return this.estimateBehind(shard, at(this.lags, shard).pending - own);
  }

  /** For an order with `ahead` pending orders before it here. */
  estimateBehind(shard: number, ahead: number): Estimate {
    const lag = at(this.lags, shard);
    const position = Math.max(0, ahead) + at(this.elsewhere, shard);
    const seconds = Math.round(lag.waitMs(this.now(), ahead + 1) / 10) / 100;
    return lag.stalled ? { position, seconds, stalled: true } : { position, seconds };
  }

  taken(shard: number): void {
    this.stir();
    this.lags[shard]?.taken();
    this.pace.took();
  }

  sent(batch: Batch): void {
    this.lags[batch.shard]?.sent(batch);
  }

  /** `decided`: the batch's outcomes are here; otherwise they will not come. */
  settled(batch: Batch, decided: boolean): void {
    if (decided) this.pace.decided(batch.size);
    this.lags[batch.shard]?.settled(batch, decided, this.now());
  }

  /** A region is away: undefined for the gateway's own. */
  away(region: string | undefined): void {
    for (const lag of this.lags) lag.away(region);
  }

  /** Divides the region's rate among this number of gateways. */
  share(gateways: number): void {
    const { regionPerSecond } = this.options;
    if (regionPerSecond === undefined) return;
    const perSecond = regionPerSecond / Math.max(1, gateways);
    if (this.region?.size.perSecond !== perSecond)
      this.region = new TokenBuckets({ perSecond, burst: Math.max(1, Math.ceil(perSecond)) });
  }

  /** Receives the reports of the other processes. */
  hear(news: readonly ShardNews[]): void {
    for (const { shard, pendingElsewhere, emptyAtMs, region } of news) {
      this.elsewhere[shard] = pendingElsewhere;
      if (emptyAtMs !== undefined) this.lags[shard]?.emptyAt(emptyAtMs, region);
    }
  }

  /** The used share of Redis's memory limit, 0 to 1. */
  redisMemory(used: number): void {
    if (used >= MEMORY_FULL) this.memoryFull = true;
    else if (used < MEMORY_EASED) this.memoryFull = false;
    this.pressed ||= this.memoryFull;
  }

  /** Advances the controllers; called by a timer. `lateMs`: the worst loop delay since the last. */
  tick(lateMs = this.lateMs()): void {
    const nowMs = this.now();
    const elapsedMs = nowMs - this.lastTickMs;
    this.lastTickMs = nowMs;
    for (const lag of this.lags) lag.tick(nowMs, elapsedMs);
    this.pace.tick(nowMs, elapsedMs, lateMs);
    const { state, reasons } = this.report();
    this.pressed = state !== "open" || this.lags.some((lag) => lag.pending >= lag.limit);
    const busy = this.pressed || this.lags.some((lag) => lag.pending > 0);
    if (!busy && ++this.restTicks > REST_TICKS) this.rest();
    const says = [state, ...reasons].join(" ");
    if (says === this.said) return;
    this.said = says;
    this.options.onChange?.(state, reasons);
  }

  report(): { state: AdmissionState; reasons: string[]; shards: ShardAdmission[] } {
    const nowMs = this.now();
    const shards = this.lags.map((lag, shard) => ({
      shard,
      state: lag.state,
      pending: lag.pending,
      limit: lag.limit,
      waitMs: Math.round(lag.waitMs(nowMs)),
    }));
    const reasons: string[] = [];
    if (this.draining) reasons.push("draining");
    if (this.options.brokerBlocked()) reasons.push("broker");
    if (this.memoryFull) reasons.push("redis_memory");
    const allClosed = reasons.length > 0;
    if (this.lags.some((lag) => lag.state !== "open" && !lag.stalled)) reasons.push("wait");
    if (this.lags.some((lag) => lag.stalled)) reasons.push("stalled");
    if (this.pace.bounded) reasons.push("late");
    const worst = (state: AdmissionState) => this.lags.some((lag) => lag.state === state);
    return {
      state:
        allClosed || worst("closed")
          ? "closed"
          : worst("pressured") || this.pace.bounded
            ? "pressured"
            : "open",
      reasons,
      shards,
    };
  }

  /** Orders come: samples the event loop's delay. */
  private stir(): void {
    this.restTicks = 0;
    if (this.loop === undefined && this.timer !== undefined)
      this.loop = new LoopDelay(this.options.runtime, SAMPLE_MS);
  }

  /**
   * No orders come: a timer every few milliseconds would cost more than the rest of the gateway.
   */
  private rest(): void {
    this.loop?.stop();
    this.loop = undefined;
  }

  private lateMs(): number {
    if (this.loop) return this.loop.take();
    return Math.max(0, Math.round(this.now() - this.lastTickMs - TICK_MS));
  }

  /** Clients are told to wait until there is room, with jitter so that they spread out. */
  private full(lag: ShardLag): Problem {
    const spreadMs = this.options.targetMs;
    return shedFor(
      Math.min(MAX_RETRY_AFTER_S, Math.ceil((lag.roomInMs() + this.random() * spreadMs) / 1_000)),
      lag.stalled,
    );
  }
}

/** Admission closes at 90% of Redis's memory and opens again below 85%. */
const MEMORY_FULL = 0.9;
const MEMORY_EASED = 0.85;

function limited(bucket: "user" | "region", waitMs: number): Problem {
  const seconds = Math.min(3_600, Math.max(1, Math.ceil(waitMs / 1_000)));
  const known = LIMITED[bucket];
  let one = known[seconds];
  if (!one) {
    const retryAfter = { "retry-after": String(seconds) };
    one = new Problem("rate_limited", bucket, `the ${bucket}'s bucket is empty`, retryAfter, {
      estimate: { seconds },
    });
    known[seconds] = one;
  }
  return one;
}
const LIMITED: Record<"user" | "region", (Problem | undefined)[]> = { user: [], region: [] };
