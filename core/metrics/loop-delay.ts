// How late this process's event loop runs: a timer that should come so often, and by how much it
// came too late.

const EVERY_MS = 100;

export class LoopDelay {
  private worstMs = 0;
  private dueMs: number;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly everyMs = EVERY_MS) {
    this.dueMs = performance.now() + everyMs;
    this.timer = setInterval(() => this.tick(), everyMs);
    this.timer.unref?.();
  }

  /** The worst since it was taken last, ms. What is late at this very moment counts. */
  take(): number {
    const worst = Math.max(this.worstMs, performance.now() - this.dueMs);
    this.worstMs = 0;
    return Math.max(0, Math.round(worst));
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const nowMs = performance.now();
    this.worstMs = Math.max(this.worstMs, nowMs - this.dueMs);
    this.dueMs = nowMs + this.everyMs;
  }
}
