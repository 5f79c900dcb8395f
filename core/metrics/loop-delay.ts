// How late this process's event loop runs: by how much a periodic timer fires too late.

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

  /** The worst delay since the last take, ms, including one that is still under way. */
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
