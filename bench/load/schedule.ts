// When each order of an open-loop run is due. Every socket has the same share of the rate. An order
// is due exactly at its intended start, and its latency counts from there.
export interface ScheduleOptions {
  /** Orders a second, over all sockets. */
  readonly rate: number;
  readonly sockets: number;
  readonly seconds: number;
  /** Sockets take turns, evenly spaced; otherwise they all send at the same moments. */
  readonly spread: boolean;
}

export class Schedule {
  /** Orders of each socket. */
  readonly each: number;
  readonly seconds: number;
  private readonly perMs: number;
  private readonly offsetMs: number;

  constructor({ rate, sockets, seconds, spread }: ScheduleOptions) {
    this.seconds = seconds;
    this.perMs = rate / sockets / 1_000;
    this.each = Math.floor((rate / sockets) * seconds);
    this.offsetMs = spread ? 1_000 / rate : 0;
  }

  /** Ms from the start of the run to a socket's order; its first order is number 0. */
  dueMs(order: number, socket: number): number {
    return this.offsetMs * socket + order / this.perMs;
  }

  /** How many orders of a socket are due this long after the start. */
  dueBy(elapsedMs: number, socket: number): number {
    const sinceFirst = elapsedMs - this.offsetMs * socket;
    if (sinceFirst < 0) return 0;
    return Math.min(this.each, Math.floor(sinceFirst * this.perMs) + 1);
  }
}
