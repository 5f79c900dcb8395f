// Redis's clock is the one decisions use. Each process keeps the difference to its own, so that stamps agree across machines.
import type { RedisStore } from "./redis.ts";

/** How often the difference is measured anew: machine clocks drift by milliseconds a minute at most. */
const RESYNC_MS = 10_000;

export class SharedClock {
  private offsetMs = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly redis: RedisStore) {}

  /** Unix ms on Redis's clock, as well as it is known. */
  readonly now = (): number => Math.round(Date.now() + this.offsetMs);

  async start(): Promise<void> {
    this.timer = setInterval(() => this.sync().catch(() => undefined), RESYNC_MS);
    this.timer.unref?.();
    await this.sync();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Takes the middle of the round trip as the moment Redis read its clock. */
  async sync(): Promise<void> {
    const before = Date.now();
    const [seconds, micros] = await this.redis.run((client) => client.time());
    const middle = (before + Date.now()) / 2;
    this.offsetMs = Number(seconds) * 1000 + Number(micros) / 1000 - middle;
  }
}
