// Detects that the other side has given no sign of life for too long.

import { ended } from "./ignored.ts";
import type { Runtime, Timer } from "./runtime.ts";
/** No answer came in time. What was requested may have happened all the same. */
export class NoAnswer extends Error {
  override name = "NoAnswer";
}

export class Silence {
  /** Rejects once there has been no sign of life for `limitMs`. */
  readonly over: Promise<never>;
  private timer: Timer;
  private heardAtMs: number;
  private readonly failed = Promise.withResolvers<never>();

  constructor(
    private readonly runtime: Runtime,
    private readonly limitMs: number,
    private readonly onSilence: () => void,
  ) {
    this.heardAtMs = runtime.monotonicMs();
    this.over = this.failed.promise;
    void ended(this.over); // it may reject after everyone has stopped waiting
    this.timer = this.runtime.startTimer(() => this.look(), limitMs);
  }

  heard(): void {
    this.heardAtMs = this.runtime.monotonicMs();
  }

  end(): void {
    this.runtime.stopTimer(this.timer);
  }

  private look(): void {
    const leftMs = this.heardAtMs + this.limitMs - this.runtime.monotonicMs();
    if (leftMs > 0) {
      this.timer = this.runtime.startTimer(() => this.look(), leftMs);
      return;
    }
    this.failed.reject(new NoAnswer(`no answer within ${this.limitMs} ms`));
    this.onSilence();
  }
}
