// The server's time, from the Date header of its answers. A phone's clock may be hours off, and
// gateways refuse ids from another time.
import { monotonicMs, wallMs } from "./platform.ts";

/** A Date header has whole seconds, and an answer takes time: less than this means nothing. */
const NOISE_MS = 2_000;
const HALF_A_SECOND_MS = 500;

export class ServerClock {
  private offsetMs: number | undefined;

  /** `own` is this machine's clock, Unix ms. */
  constructor(private readonly own: () => number = wallMs) {}

  /** Whether an answer has shown the server's time. */
  get known(): boolean {
    return this.offsetMs !== undefined;
  }

  now(): number {
    return this.own() + (this.offsetMs ?? 0);
  }

  /** `sentAtMs` is the monotonic time at which the request left. */
  learn(date: string | null, sentAtMs: number): void {
    const serverMs = date === null ? Number.NaN : Date.parse(date);
    if (Number.isNaN(serverMs)) return;
    const halfWayMs = this.own() - (monotonicMs() - sentAtMs) / 2;
    const offsetMs = serverMs + HALF_A_SECOND_MS - halfWayMs;
    this.offsetMs = Math.abs(offsetMs) < NOISE_MS ? 0 : offsetMs;
  }
}
