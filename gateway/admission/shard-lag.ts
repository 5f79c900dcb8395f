// One gateway's view of one shard's lag, from its own orders alone: how many wait for their
// outcome, how long the oldest has waited, and how many per second are decided while any wait. And
// the controller based on it:
//
//   open ──(the oldest has waited a quarter of the target, and later ones would wait longer than
//       the target)──▶ pressured
//   pressured: accepts the decision rate; more while fewer wait than aimed at, fewer while more do
//   pressured ──(calm for a second)──▶ open
//   pressured ──(the oldest has waited 1.5 times the target)──▶ closed
//   closed ──(the oldest has waited no longer than the target)──▶ pressured
//   any ──(nothing is decided any more)──▶ stalled: an outage, not overload
//       orders are still accepted, up to a bound
//
// A bound on waiting orders alone is not enough: it admits a burst, then nothing while that lasts
// (docs/decisions/0010-admission.md).
//
// 1. Accepted orders keep their place: the controller only decides how many more to accept.
// 2. Every accepted order leaves the count once: decided, unconfirmed, forgotten, decided before
//    one that came after it, or in a region that is away.
// 3. In every state at most `limit` orders are pending.
// 4. The limit always leaves room for a batch and the next one.

import type { AdmissionState } from "../../core/domain/report.ts";
import type { Batch } from "../intake/batch.ts";

export interface LagOptions {
  /** The longest an order should wait for its outcome, ms. */
  readonly targetMs: number;
  /** How many orders may wait while none are decided. */
  readonly stallOrders: number;
  /** 0 to 1: when in each cycle this shard hands out its allowance, so that shards take turns. */
  readonly phase?: number;
}

/** The controller's interval. */
export const TICK_MS = 100;
/**
 * The wait aimed at, as a share of the target: measurements lag behind, and the slowest percent
 * wait about twice the mean.
 */
const AIM = 0.6;
/** The most that may wait: as many as are decided in this share of the target. */
const MOST = 0.75;
/**
 * With no orders waiting, accept this share more than is decided; with twice the number aimed at,
 * this share less.
 */
const GAIN = 1;
/**
 * How often the allowance is handed out, ms: in lumps, so that orders share messages and calls.
 * Spread evenly, an order cost a worker 27 µs instead of 10 (docs/decisions/0010-admission.md).
 */
const LUMP_MS = 100;
/** Less work than this, ms, does not show how much can be decided. */
const KNOWN_MS = 250;
/**
 * Overload also shows in the age of the oldest order: below this share of the target nothing is
 * wrong, however few were decided recently.
 */
const EARLY = 0.25;
const CLOSE = 1.5;
/** Ticks of calm before a shard is open again. */
const CALM_TICKS = 10;
/** A shard whose oldest order has waited this long is fully busy: its rate is its capacity. */
const BUSY_MS = 50;
/** The rate is a mean over about this long. */
const RATE_MS = 1_500;
/** After a quiet time the old rate counts for little: it was the rate of arrivals. */
const REMEMBERED_MS = 100;
/** This many may always wait: a batch, and the next one. */
const LEAST = 64;
/** With nothing decided for this long while orders wait, it is an outage. */
const STALL_MS = 1_000;

const CLOSED: [AdmissionState, number] = ["closed", 0];

export class ShardLag {
  /** Accepted orders whose outcome is unknown. */
  pending = 0;
  /** How many may be pending. */
  limit: number;
  state: AdmissionState = "open";
  stalled = false;
  /**
   * In order of publishing, which is the order of deciding. A batch that has left is not held: its
   * ids may each hold the text of a frame.
   */
  private waiting: (Batch | undefined)[] = [];
  private head = 0;
  private decided = 0;
  private decidedInMs = 0;
  private sinceTick = 0;
  private calm = 0;
  /** Since the last tick. */
  private refused = 0;
  private wasBusy = false;
  private lastOutcomeMs = 0;
  /** Orders that may be accepted at once, and per ms. */
  private left = 0;
  private lump = 0;
  private inPerMs = 0;
  /**
   * Whether outcomes have arrived since it was last idle. Until then the time measures the round
   * trip, not the work.
   */
  private flowing = false;

  constructor(private readonly options: LagOptions) {
    this.limit = options.stallOrders;
  }

  /** Whether one more order may be accepted now. */
  room(nowMs: number): boolean {
    const has = this.hasRoom(nowMs);
    if (!has) this.refused++;
    return has;
  }

  private hasRoom(nowMs: number): boolean {
    if (this.pending >= this.limit) return false; // 3
    if (this.state === "open" || this.stalled || this.pending < LEAST) return true; // 4
    const lump = Math.floor(nowMs / LUMP_MS + (this.options.phase ?? 0));
    if (lump !== this.lump) {
      this.left = this.inPerMs * LUMP_MS;
      this.lump = lump;
    }
    return this.left >= 1;
  }

  taken(): void {
    this.pending++;
    // Skips and cancels do not ask for room, so they only use up what is left.
    if (this.left > 0) this.left--;
  }

  sent(batch: Batch): void {
    if (this.head === this.waiting.length)
      this.lastOutcomeMs = Math.max(this.lastOutcomeMs, batch.bornMs);
    this.waiting.push(batch);
  }

  /** Its outcomes are here, or will not come (not confirmed, forgotten). */
  settled(batch: Batch, decided: boolean, nowMs: number): void {
    if (decided) this.lastOutcomeMs = nowMs;
    const at = this.find(batch);
    if (at < 0) return; // already given up: a later batch was settled first
    // Earlier batches were decided before it, and their outcomes were lost on the way. Those of
    // another region may be decided late: nobody needs to wait for them.
    const upTo = decided ? at : this.head - 1;
    for (let i = this.head; i <= upTo; i++) this.leave(i, this.waiting[i]?.region === batch.region);
    if (!decided) this.leave(at, false);
    this.trim();
  }

  /**
   * The owner had nothing left of a region (undefined: the gateway's own) at that moment:
   * everything that the region confirmed before it has been decided.
   */
  emptyAt(ms: number, region?: string): void {
    for (let i = this.head; i < this.waiting.length; i++) {
      const batch = this.waiting[i];
      if (batch?.verdict !== "confirmed" || batch.region !== region) continue;
      if (batch.bornMs < ms) this.leave(i, false);
    }
    this.trim();
  }

  /**
   * A region (undefined: the gateway's own) is away: what it alone confirmed is decided once it is
   * back. Until then it takes no room from orders that can be decided.
   */
  away(region?: string): void {
    this.emptyAt(Number.POSITIVE_INFINITY, region);
  }

  /** Age of the oldest order without an outcome, ms. */
  oldestMs(nowMs: number): number {
    const first = this.waiting[this.head];
    return first ? Math.max(0, nowMs - first.bornMs) : 0;
  }

  /** Expected wait of an order with `ahead` orders before it, ms; by default one accepted now. */
  waitMs(nowMs: number, ahead = this.pending): number {
    if (ahead === 0) return 0;
    return this.perMs > 0 ? ahead / this.perMs : this.oldestMs(nowMs);
  }

  /** Ms until there is room again; at most the target, since the rate may have changed by then. */
  roomInMs(): number {
    const excess = this.pending - this.limit;
    return excess <= 0 || this.perMs === 0
      ? 0
      : Math.min(this.options.targetMs, excess / this.perMs);
  }

  /** Advances the controller; `elapsedMs` since the last time. */
  tick(nowMs: number, elapsedMs: number): void {
    const busy = this.oldestMs(nowMs) >= BUSY_MS;
    if (busy && this.wasBusy) this.measure(elapsedMs);
    else if (busy) this.begin();
    // It is not fully busy, so its rate is a lower bound of its capacity.
    else if (this.state !== "open" && this.sinceTick > this.perMs * elapsedMs)
      this.measure(elapsedMs);
    this.sinceTick = 0;
    this.wasBusy = busy;
    [this.state, this.limit] = this.judge(nowMs);
    const aim = Math.max(LEAST, this.perMs * this.options.targetMs * AIM);
    this.inPerMs = Math.max(
      LEAST / TICK_MS,
      this.perMs * Math.max(0, 1 + GAIN * (1 - this.pending / aim)),
    );
  }

  /** Orders decided per ms while any waited. */
  private get perMs(): number {
    return this.decidedInMs > 0 ? this.decided / this.decidedInMs : 0;
  }

  private judge(nowMs: number): [state: AdmissionState, limit: number] {
    const { targetMs, stallOrders } = this.options;
    const oldestMs = this.oldestMs(nowMs);
    this.stalled =
      this.pending > 0 &&
      oldestMs > STALL_MS &&
      nowMs - this.lastOutcomeMs > Math.max(STALL_MS, targetMs / 2);
    if (this.stalled) return ["pressured", stallOrders];
    const most = Math.max(LEAST, Math.floor(this.perMs * targetMs * MOST));
    const open: [AdmissionState, number] = [
      "open",
      this.decidedInMs < KNOWN_MS ? stallOrders : Math.max(stallOrders, most),
    ];
    const late = this.waitMs(nowMs) > targetMs * MOST || oldestMs > targetMs || this.refused > 0;
    const calm =
      this.refused === 0 &&
      oldestMs < targetMs * EARLY &&
      this.waitMs(nowMs) < (targetMs * AIM) / 2;
    this.refused = 0;
    this.calm = calm ? this.calm + 1 : 0;
    if (this.state === "open" && !(late && oldestMs > targetMs * EARLY)) return open;
    if (this.calm >= CALM_TICKS) return open;
    if (oldestMs > targetMs * CLOSE) return CLOSED;
    if (this.state === "closed" && oldestMs > targetMs) return CLOSED;
    return ["pressured", most];
  }

  private measure(elapsedMs: number): void {
    // While nothing is decided, the rate stays: an outage says nothing about what follows.
    if (this.stalled && this.sinceTick === 0) return;
    if (!this.flowing) {
      this.flowing = this.sinceTick > 0;
      return;
    }
    const kept = Math.exp(-elapsedMs / RATE_MS);
    this.decided = this.decided * kept + this.sinceTick;
    this.decidedInMs = this.decidedInMs * kept + elapsedMs;
  }

  /** Orders wait again: the old rate counts for little. */
  private begin(): void {
    this.flowing = false;
    if (this.decidedInMs <= REMEMBERED_MS) return;
    this.decided *= REMEMBERED_MS / this.decidedInMs;
    this.decidedInMs = REMEMBERED_MS;
  }

  private find(batch: Batch): number {
    for (let i = this.head; i < this.waiting.length; i++) if (this.waiting[i] === batch) return i;
    return -1;
  }

  private leave(index: number, decided: boolean): void {
    const batch = this.waiting[index];
    if (!batch) return; // 2
    this.pending -= batch.size;
    if (decided) this.sinceTick += batch.size;
    this.waiting[index] = undefined;
  }

  private trim(): void {
    while (this.head < this.waiting.length && this.waiting[this.head] === undefined) this.head++;
    if (this.head < 256 || this.head * 2 < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.head);
    this.head = 0;
  }
}
