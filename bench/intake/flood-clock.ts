// When each order of a flood was written, and how long its answers took. A flood has no schedule:
// its orders leave as soon as the gateway allows, so their latency counts from then.
import { type Event, type Latencies, type Slice, SlicedLatencies } from "../load/slices.ts";

/** Sending times kept for each socket: more than its orders ever in flight at once. */
export const REMEMBERED = 65_536;

export class FloodClock {
  private readonly latencies: SlicedLatencies;
  private readonly sentMs: Float64Array[];
  private readonly written: number[];
  private startedMs = 0;

  constructor(
    seconds: number,
    sockets: number,
    private readonly nowMs: () => number,
  ) {
    this.latencies = new SlicedLatencies(seconds);
    this.sentMs = Array.from({ length: sockets }, () => new Float64Array(REMEMBERED));
    this.written = Array.from({ length: sockets }, () => 0);
  }

  start(): void {
    this.startedMs = this.nowMs();
  }

  sends(socket: number, serial: number, count: number): void {
    const nowMs = this.nowMs();
    const times = this.sentMs[socket];
    for (let i = serial; times && i < serial + count; i++) times[i % REMEMBERED] = nowMs;
    this.written[socket] = serial + count;
  }

  heard(socket: number, serial: number, event: Event): void {
    const sentMs = this.sentMs[socket]?.[serial % REMEMBERED];
    const forgotten = (this.written[socket] ?? 0) - serial > REMEMBERED;
    if (sentMs === undefined || forgotten) return;
    const latencyMs = this.nowMs() - sentMs;
    this.latencies.record(event, sentMs - this.startedMs, latencyMs);
  }

  total(): Latencies {
    return this.latencies.total();
  }

  overTime(): Slice[] {
    return this.latencies.overTime();
  }
}
