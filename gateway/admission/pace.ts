// How many orders per second this gateway accepts in total: unbounded, until its own event loop
// runs late. Then requests wait unread, where no count of pending orders shows them, and a refusal
// takes as long as an acceptance. Whatever the bottleneck is, the gateway accepts less until it
// answers in time: shedding an order costs the machine a sixth of accepting it.
//
//   unbounded ──(late and demand exceeds decisions, or very late)──▶ bounded
//       starts at a share of the orders recently accepted
//   bounded: late ─▶ less, down to a floor; in time ─▶ a little more
//   bounded ──(no order shed for a second)──▶ unbounded
//
// 1. It is bounded only when it is late and demand exceeds the decisions, or when it is very late.
// 2. While bounded, it accepts at least half of the recent peak of decisions, and at least a sixth
//    of what it sheds.
// 3. It is unbounded again once no order has been shed for a second.
//
// Lateness alone does not distinguish a flood from a busy closed loop (clients that send the next
// order when one is answered). But a closed loop's demand never runs further ahead of the decisions
// than its outstanding orders; a flood runs ahead by a second's work within a second.
//
// Shedding makes the loop late too. Clients that send a shed order again at once keep it late,
// however little it accepts: only an accepted order stops its client. And a gateway that accepts
// little does not see how much could be decided. So the floor also follows what is shed. Above it,
// most of the work is in accepting, and accepting less helps.
//
// In a flood of 196,000 orders/s, accepted orders had their outcome after 0.3 s instead of 6.0 s
// (p99): docs/decisions/0010-admission.md.

import { at } from "../../core/domain/at.ts";

/** Factors applied to the rate at each move: LESS while late, MORE while in time. */
const LESS = 0.85;
const MORE = 1.04;
/** It accepts at least this share of the recent peak: a gateway that only sheds helps no client. */
const FLOOR = 0.5;
/** Accepting an order costs the machine as much as shedding this many: 0010-admission.md. */
const SHED_PER_ACCEPTED = 6;
/** An absolute minimum, orders per ms: recently there may have been no orders at all. */
const MIN_PER_MS = 1;
/** Ticks between two moves, so that the effect of the last one shows. */
const MOVE_TICKS = 3;
/** Ticks without a shed order before it is unbounded again. */
const CALM_TICKS = 10;
/**
 * Means cover about this long, ms. One tick counts as at most MAX_MS of it: a machine that slept
 * is not overloaded.
 */
const MEAN_MS = 500;
const MAX_MS = 300;
/** Lateness is the median of this many ticks: a garbage collection is not overload. */
const WINDOW = 5;
/** Demand is excessive when it runs ahead of the decisions by as much as this time decides, ms … */
const AHEAD_MS = 1_000;
/**
 * … where demand up to this multiple of the decisions adds no lead: clients whose demand matches
 * the decisions lose an old lead within seconds.
 */
const FORGIVEN = 1.25;
/** The lead is capped at this multiple of AHEAD_MS. */
const MAX_AHEAD = 2;
/**
 * Without excessive demand, this multiple of the lateness limit counts as late: a gateway short of
 * CPU may read so little that demand looks low.
 */
const STARVED = 4;
/** The share of the recent peak that survives each tick: half of it after two minutes. */
const REMEMBERED = 0.9994;
/** The share of accepted orders to start from while no decision rate is known. */
const GUESS = 0.4;
/**
 * While bounded it aims at this share of the lateness limit. There is no dead zone: clients that
 * retry at once keep a gateway somewhat late, and it would never find out that it can do more.
 */
const IN_TIME = 0.6;
/** The bucket holds what is accepted in this time, ms. */
const BURST_MS = 20;

export class Pace {
  /** Orders per ms. */
  perMs = Number.POSITIVE_INFINITY;
  /** Median delay of the event loop over the last ticks, ms. */
  lateness = 0;
  private readonly late: number[] = Array(WINDOW).fill(0);
  /** By how many orders demand, shed orders included, is ahead of the decisions. */
  private ahead = 0;
  /** Orders shed since the last tick because their shard is full. */
  private full = 0;
  private done = 0;
  private donePerMs = 0;
  /** The recent peak of decisions, orders per ms. */
  private can = 0;
  private left = 0;
  private filledMs = 0;
  private taken = 0;
  private takenLately = 0;
  private takenInMs = 0;
  private refused = 0;
  private shedPerMs = 0;
  private ticks = 0;
  private calm = 0;

  /**
   * @param lateMs the event loop is late when its median delay exceeds this
   * @param lead   how far demand may always run ahead, in orders: the decision rate may be unknown
   */
  constructor(
    private readonly lateMs: number,
    private readonly lead: number,
  ) {}

  private get floor(): number {
    return Math.max(MIN_PER_MS, this.can * FLOOR, this.shedPerMs / SHED_PER_ACCEPTED); // 2
  }

  get bounded(): boolean {
    return this.perMs !== Number.POSITIVE_INFINITY;
  }

  /** Whether one more order may be accepted now. */
  room(nowMs: number): boolean {
    if (this.perMs === Number.POSITIVE_INFINITY) return true;
    this.left = Math.min(this.perMs * BURST_MS, this.left + (nowMs - this.filledMs) * this.perMs);
    this.filledMs = nowMs;
    if (this.left >= 1) return true;
    this.refused++;
    return false;
  }

  took(): void {
    this.taken++;
    // Skips and cancels do not ask for room, so they only use up what is left.
    if (this.left > 0) this.left--;
  }

  /** An order was shed because of its shard. */
  turned(): void {
    this.full++;
  }

  /** The outcomes of this many orders arrived. */
  decided(orders: number): void {
    this.done += orders;
  }

  /** `lateMs`: the worst delay of the event loop since the last tick. */
  tick(nowMs: number, elapsedMs: number, lateMs: number): void {
    const weight = 1 - Math.exp(-Math.min(elapsedMs, MAX_MS) / MEAN_MS);
    this.late.shift();
    this.late.push(lateMs);
    this.lateness = at(
      this.late.toSorted((a, b) => a - b),
      WINDOW >> 1,
    );
    const lead = Math.max(this.lead, this.can * AHEAD_MS);
    const shed = this.refused + this.full;
    const asked = this.taken + shed;
    this.ahead = Math.max(0, Math.min(lead * MAX_AHEAD, this.ahead + asked - this.done * FORGIVEN));
    this.full = 0;
    this.shedPerMs += (shed / Math.max(1, elapsedMs) - this.shedPerMs) * weight;
    // A tick without orders does not show how many could be accepted.
    if (this.taken > 0) {
      this.takenLately = this.takenLately * (1 - weight) + this.taken;
      this.takenInMs = this.takenInMs * (1 - weight) + elapsedMs;
    }
    this.donePerMs += (this.done / Math.max(1, elapsedMs) - this.donePerMs) * weight;
    this.can = Math.max(this.can * REMEMBERED, this.donePerMs);
    this.done = 0;
    this.calm = this.refused === 0 ? this.calm + 1 : 0;
    this.taken = 0;
    this.refused = 0;
    if (!this.bounded) {
      if (this.lateness > this.lateMs * (this.ahead > lead ? 1 : STARVED)) this.bind(nowMs); // 1
    } else if (this.calm >= CALM_TICKS)
      this.perMs = Number.POSITIVE_INFINITY; // 3
    else this.move();
  }

  /** A flood is accepted faster than it can be decided until it is noticed. */
  private bind(nowMs: number): void {
    const takenPerMs = this.takenInMs > 0 ? this.takenLately / this.takenInMs : 0;
    this.perMs = Math.max(
      this.floor,
      Math.min(takenPerMs, Math.max(this.can, takenPerMs * GUESS)) * LESS,
    );
    this.left = 0;
    this.filledMs = nowMs;
    this.ticks = 0;
    this.calm = 0;
  }

  private move(): void {
    if (++this.ticks % MOVE_TICKS === 0)
      this.perMs *= this.lateness > this.lateMs * IN_TIME ? LESS : MORE;
    this.perMs = Math.max(this.floor, this.perMs);
  }
}
