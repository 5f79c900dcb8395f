// What one gateway knows of one shard's lag, from nothing but its own orders: how many wait for
// their outcome, how long the oldest has waited, and how many a second are decided while any wait.
// And the controller that follows from it:
//
//   open ──(the oldest waits a quarter of the target, and those behind it would wait longer than the target)──▶ pressured
//   pressured: as many a second come in as are decided, more while fewer wait than aimed at, fewer while more do       ──(calm for a second)──▶ open
//   pressured ──(the oldest waits half as long again as the target)──▶ closed ──(no longer than the target)──▶ pressured
//   any ──(nothing is decided at all any more)──▶ stalled: no overload, an outage. Up to a bound orders are taken in all the same.
//
// A bound on what may wait is not enough by itself: all of it comes in at once, and then nothing
// for as long as it lasts. With 112,000 orders/s offered to two cores, a second took in 600 to
// 61,000 of them so, those waited up to 4.3 s, and a second that took in many answered no refusal
// within 20 ms.
//
// What was taken in keeps its place: the controller only says how much more may come.

import { at } from "../../core/domain/at.ts";
import type { AdmissionState } from "../../core/domain/report.ts";
import type { Batch } from "../intake/batch.ts";

export interface LagOptions {
  /** How long an order should wait for its outcome at most, ms. */
  readonly targetMs: number;
  /** Orders that may wait while nothing is decided. */
  readonly stallOrders: number;
  /** 0 to 1: when in its turn this shard gives out what may come in, so that not all do at once. */
  readonly phase?: number;
}

/** The controller looks so often. */
export const TICK_MS = 100;
/**
 * Aimed at, of the target: what is measured lags behind what is, and the slowest in a hundred wait
 * about twice as long as the mean.
 */
const AIM = 0.6;
/** No more may wait than are decided in this share of the target. */
const MOST = 0.75;
/**
 * Where nothing waits, so much more comes in than is decided; as much less where twice as many wait
 * as aimed at.
 */
const GAIN = 1;
/**
 * What may come in is given out this often, ms, so that what comes in shares messages and calls.
 * Given out evenly instead (a bucket of 20 ms) messages held six orders each, an order cost 27 µs
 * of a worker instead of 10, and so fewer and fewer were decided: a fourth of the best, not half of
 * it.
 */
const LUMP_MS = 100;
/** Less of the work than this, ms, does not tell how much can be decided. */
const KNOWN_MS = 250;
/**
 * Overload shows in the age of the oldest order, too: below this share of the target nothing is
 * wrong, however few were decided lately.
 */
const EARLY = 0.25;
const CLOSE = 1.5;
/** Ticks of calm before a shard is open again. */
const CALM_TICKS = 10;
/**
 * A shard whose oldest order waits this long has as much to decide as it can: what is decided then
 * is what can be.
 */
const BUSY_MS = 50;
/** The rate is a mean over about this long. */
const RATE_MS = 1_500;
/** After a quiet time the rate of before counts for little: it was the rate of arrivals. */
const REMEMBERED_MS = 100;
/** So many may always wait: a batch, and the next one. */
const LEAST = 64;
/** Nothing decided for so long while orders wait is an outage. */
const STALL_MS = 1_000;

const CLOSED: [AdmissionState, number] = ["closed", 0];

/** A batch on its way, as its shard's lag sees it. */
interface Waiting {
  readonly batch: Batch;
  readonly orders: number;
}

export class ShardLag {
  /** Orders taken in whose outcome is not known. */
  pending = 0;
  /** How many may be pending. */
  limit: number;
  state: AdmissionState = "open";
  stalled = false;
  /** In the order of publishing, which is that of deciding. */
  private waiting: Waiting[] = [];
  private head = 0;
  private decided = 0;
  private decidedInMs = 0;
  private sinceTick = 0;
  private calm = 0;
  /** Since the last tick. */
  private turnedAway = 0;
  private wasBusy = false;
  private lastOutcomeMs = 0;
  /** May come in at once, and a ms. */
  private left = 0;
  private lump = 0;
  private inPerMs = 0;
  /**
   * Outcomes have come since it was idle last: until then the time is that of the way, not of the
   * work.
   */
  private flowing = false;

  constructor(private readonly options: LagOptions) {
    this.limit = options.stallOrders;
  }

  /** Whether one more may be taken in now. */
  room(nowMs: number): boolean {
    const has = this.hasRoom(nowMs);
    if (!has) this.turnedAway++;
    return has;
  }

  private hasRoom(nowMs: number): boolean {
    if (this.pending >= this.limit) return false;
    if (this.state === "open" || this.stalled || this.pending < LEAST) return true;
    const lump = Math.floor(nowMs / LUMP_MS + (this.options.phase ?? 0));
    if (lump !== this.lump) {
      this.left = this.inPerMs * LUMP_MS;
      this.lump = lump;
    }
    return this.left >= 1;
  }

  taken(): void {
    this.pending++;
    // Skips and cancels do not ask for room, and take none from others than that.
    if (this.left > 0) this.left--;
  }

  sent(batch: Batch): void {
    if (this.head === this.waiting.length)
      this.lastOutcomeMs = Math.max(this.lastOutcomeMs, batch.bornMs);
    this.waiting.push({ batch, orders: batch.size });
  }

  /** Its outcomes are here, or will not come (not confirmed, forgotten). */
  settled(batch: Batch, decided: boolean, nowMs: number): void {
    if (decided) this.lastOutcomeMs = nowMs;
    const at = this.find(batch);
    if (at < 0) return; // given up before: a later one was told first
    // What lies before it was decided before it: its outcomes were lost on the way.
    const upTo = decided ? at : this.head - 1;
    for (let i = this.head; i <= upTo; i++) this.leave(i, true);
    if (!decided) this.leave(at, false);
    this.trim();
  }

  /**
   * The owner had nothing left at that moment: whatever was confirmed before it has been decided.
   */
  emptyAt(ms: number): void {
    for (let i = this.head; i < this.waiting.length; i++) {
      const { batch } = at(this.waiting, i);
      if (batch.verdict === "confirmed" && batch.bornMs < ms) this.leave(i, false);
    }
    this.trim();
  }

  /** Age of the oldest order without an outcome, ms. */
  oldestMs(nowMs: number): number {
    const first = this.waiting[this.head];
    return first ? Math.max(0, nowMs - first.batch.bornMs) : 0;
  }

  /** How long an order with so many before it will wait, ms; left out: one taken in now. */
  waitMs(nowMs: number, ahead = this.pending): number {
    if (ahead === 0) return 0;
    return this.perMs > 0 ? ahead / this.perMs : this.oldestMs(nowMs);
  }

  /**
   * How long until there is room again, ms: no longer than the target, since the rate may be
   * another by then.
   */
  roomInMs(): number {
    const excess = this.pending - this.limit;
    return excess <= 0 || this.perMs === 0
      ? 0
      : Math.min(this.options.targetMs, excess / this.perMs);
  }

  /** Moves the controller on; `elapsedMs` since the last time. */
  tick(nowMs: number, elapsedMs: number): void {
    const busy = this.oldestMs(nowMs) >= BUSY_MS;
    if (busy && this.wasBusy) this.measure(elapsedMs);
    else if (busy) this.begin();
    // It has less to do than it can: what is decided is the least that can be.
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
    const late = this.waitMs(nowMs) > targetMs * MOST || oldestMs > targetMs || this.turnedAway > 0;
    const calm =
      this.turnedAway === 0 &&
      oldestMs < targetMs * EARLY &&
      this.waitMs(nowMs) < (targetMs * AIM) / 2;
    this.turnedAway = 0;
    this.calm = calm ? this.calm + 1 : 0;
    if (this.state === "open" && !(late && oldestMs > targetMs * EARLY)) return open;
    if (this.calm >= CALM_TICKS) return open;
    if (oldestMs > targetMs * CLOSE) return CLOSED;
    if (this.state === "closed" && oldestMs > targetMs) return CLOSED;
    return ["pressured", most];
  }

  private measure(elapsedMs: number): void {
    // While nothing is decided at all the rate stays: an outage says nothing of what comes after
    // it.
    if (this.stalled && this.sinceTick === 0) return;
    if (!this.flowing) {
      this.flowing = this.sinceTick > 0;
      return;
    }
    const kept = Math.exp(-elapsedMs / RATE_MS);
    this.decided = this.decided * kept + this.sinceTick;
    this.decidedInMs = this.decidedInMs * kept + elapsedMs;
  }

  /** Orders wait again: the rate of before counts for little. */
  private begin(): void {
    this.flowing = false;
    if (this.decidedInMs <= REMEMBERED_MS) return;
    this.decided *= REMEMBERED_MS / this.decidedInMs;
    this.decidedInMs = REMEMBERED_MS;
  }

  private find(batch: Batch): number {
    for (let i = this.head; i < this.waiting.length; i++)
      if (this.waiting[i]?.batch === batch) return i;
    return -1;
  }

  private leave(index: number, decided: boolean): void {
    const { batch, orders } = at(this.waiting, index);
    if (orders === 0) return;
    this.pending -= orders;
    if (decided) this.sinceTick += orders;
    this.waiting[index] = { batch, orders: 0 };
  }

  private trim(): void {
    while (this.head < this.waiting.length && this.waiting[this.head]?.orders === 0) this.head++;
    if (this.head < 256 || this.head * 2 < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.head);
    this.head = 0;
  }
}
