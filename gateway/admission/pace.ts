// How many orders a second this gateway takes in at all. Unbounded, until its own event loop runs
// late: then requests wait unread before it, where no count of pending orders shows them, and a
// refusal waits as long as an acceptance. Whatever it is short of, it accepts less until what comes
// is answered in time: turning an order away costs a sixth of what accepting one costs the machine.
//
//   unbounded ──(late, and more is asked for than is decided; or very late)──▶ bounded, at a share of what was taken lately
//   bounded: not in time ─▶ less, not below a floor        in time ─▶ a little more        nobody turned away for a second ─▶ unbounded
//
// Two cores, three times what they can do offered over WebSockets (196,000 orders/s), 8 s:
// unbounded, 157,000/s were answered, accepted orders had their outcome after 6.0 s (p99) and
// refused ones their answer after 4.4 s, ever later; bounded at 30,000/s, all were answered, after
// 0.3 s and 0.1 s.
//
// Lateness alone does not tell a flood from good work: clients that keep 30,000 orders outstanding
// and send the next when one is answered make both cores as busy. There it was 16 ms (median; p99
// 80; up to 76 in the median of five ticks beside a process that burns a core), in the flood 59
// (p99 329). But what they ask for never runs further ahead of what is decided than they have
// outstanding; a flood runs ahead by a second's work within the second.

import { at } from "../../core/domain/at.ts";

/** Less by this factor each time it is late, more by this one each time it is not. Refused orders of the flood above had their answer after 0.6–0.9 s (p99 of
 *  10 s) with five ticks between two moves, after 0.3–0.4 s with three. */
const LESS = 0.85;
const MORE = 1.04;
/**
 * It never takes less than this share of the most that was decided lately: a machine that only
 * turns away is no better for its clients than a late one.
 */
const FLOOR = 0.5;
/** Nor less than this, orders a ms: what was taken lately may have been nothing. */
const LEAST_PER_MS = 1;
/** Ticks between two moves: the effect of the last one is to be seen. */
const MOVE_TICKS = 3;
/** Ticks in which nobody was turned away before it is unbounded again. */
const CALM_TICKS = 10;
/**
 * Means are taken over about this long, ms; one tick counts for no more than this much of it: a
 * machine that slept is no overload.
 */
const MEAN_MS = 500;
const MOST_MS = 300;
/**
 * How late it is, is the median of so many ticks: garbage collections are no overload, however long
 * each takes.
 */
const WINDOW = 5;
/**
 * It is pressed when what is asked for has run ahead of what is decided by as much as can be
 * decided in this time, ms, …
 */
const AHEAD_MS = 1_000;
/**
 * … where so much more than was decided counts as no lead: clients that ask for as much as is
 * decided are forgiven an old lead in seconds.
 */
const FORGIVEN = 1.25;
/** The lead counts up to so many times as much. */
const MOST_AHEAD = 2;
/**
 * Where it is not, it may be that little is read because so little time is left to read it: so many
 * times as late is late then.
 */
const STARVED = 4;
/**
 * How much of the most that was decided is remembered from tick to tick: half of it after two
 * minutes.
 */
const REMEMBERED = 0.9994;
/** Where nobody knows yet what can be decided: this share of what was taken. */
const GUESS = 0.4;
/** Once bounded it aims at this share of what counts as late. There is no rest between: clients that send again at once keep a gateway somewhat late, and it
 *  would never find out that it can do more. */
const IN_TIME = 0.6;
/** The bucket holds what is taken in so long, ms. */
const BURST_MS = 20;

export class Pace {
  /** Orders a ms. */
  perMs = Number.POSITIVE_INFINITY;
  /** By how much the event loop is late, in the median of the last ticks, ms. */
  lateness = 0;
  private readonly late: number[] = Array(WINDOW).fill(0);
  /** How many more were asked for than were decided, whatever they were told. */
  private ahead = 0;
  /** Turned away since the last tick, because their shard is full. */
  private full = 0;
  private done = 0;
  private donePerMs = 0;
  /** The most that was decided lately, orders a ms. */
  private can = 0;
  private left = 0;
  private filledMs = 0;
  private taken = 0;
  private takenLately = 0;
  private takenInMs = 0;
  private turnedAway = 0;
  private ticks = 0;
  private calm = 0;

  /**
   * @param lateMs an event loop that runs later than this, in the median, is late
   * @param lead   orders that may be asked for ahead of what is decided in any case: how much can be decided may not be known yet
   */
  constructor(
    private readonly lateMs: number,
    private readonly lead: number,
  ) {}

  private get floor(): number {
    return Math.max(LEAST_PER_MS, this.can * FLOOR);
  }

  get bounded(): boolean {
    return this.perMs !== Number.POSITIVE_INFINITY;
  }

  /** Whether one more may be taken in now. */
  room(nowMs: number): boolean {
    if (this.perMs === Number.POSITIVE_INFINITY) return true;
    this.left = Math.min(this.perMs * BURST_MS, this.left + (nowMs - this.filledMs) * this.perMs);
    this.filledMs = nowMs;
    if (this.left >= 1) return true;
    this.turnedAway++;
    return false;
  }

  took(): void {
    this.taken++;
    // Skips and cancels do not ask for room, and take none from others than that.
    if (this.left > 0) this.left--;
  }

  /** One was turned away for its shard. */
  turned(): void {
    this.full++;
  }

  /** The outcomes of so many are here. */
  decided(orders: number): void {
    this.done += orders;
  }

  /** `lateMs`: by how much the event loop was late at worst since the last tick. */
  tick(nowMs: number, elapsedMs: number, lateMs: number): void {
    const weight = 1 - Math.exp(-Math.min(elapsedMs, MOST_MS) / MEAN_MS);
    this.late.shift();
    this.late.push(lateMs);
    this.lateness = at(
      this.late.toSorted((a, b) => a - b),
      WINDOW >> 1,
    );
    const lead = Math.max(this.lead, this.can * AHEAD_MS);
    const asked = this.taken + this.turnedAway + this.full;
    this.ahead = Math.max(
      0,
      Math.min(lead * MOST_AHEAD, this.ahead + asked - this.done * FORGIVEN),
    );
    this.full = 0;
    // A tick without orders says nothing of how many could be taken.
    if (this.taken > 0) {
      this.takenLately = this.takenLately * (1 - weight) + this.taken;
      this.takenInMs = this.takenInMs * (1 - weight) + elapsedMs;
    }
    this.donePerMs += (this.done / Math.max(1, elapsedMs) - this.donePerMs) * weight;
    this.can = Math.max(this.can * REMEMBERED, this.donePerMs);
    this.done = 0;
    this.calm = this.turnedAway === 0 ? this.calm + 1 : 0;
    this.taken = 0;
    this.turnedAway = 0;
    if (!this.bounded) {
      if (this.lateness > this.lateMs * (this.ahead > lead ? 1 : STARVED)) this.bind(nowMs);
    } else if (this.calm >= CALM_TICKS) this.perMs = Number.POSITIVE_INFINITY;
    else if (++this.ticks % MOVE_TICKS === 0) this.move();
  }

  /** A flood is taken in faster than it can be decided, until that is noticed. */
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
    this.perMs *= this.lateness > this.lateMs * IN_TIME ? LESS : MORE;
    this.perMs = Math.max(this.floor, this.perMs);
  }
}
