// Detects that the other side has given no sign of life for too long.

/** No answer came in time. What was requested may have happened all the same. */
export class NoAnswer extends Error {
  override name = "NoAnswer";
}

export class Silence {
  /** Rejects once there has been no sign of life for `limitMs`. */
  readonly over: Promise<never>;
  private timer: ReturnType<typeof setTimeout>;
  private heardAtMs = performance.now();
  private readonly failed = Promise.withResolvers<never>();

  constructor(
    private readonly limitMs: number,
    private readonly onSilence: () => void,
  ) {
    this.over = this.failed.promise;
    this.over.catch(() => undefined); // it may reject after everyone has stopped waiting
    this.timer = setTimeout(() => this.look(), limitMs);
  }

  heard(): void {
    this.heardAtMs = performance.now();
  }

  end(): void {
    clearTimeout(this.timer);
  }

  private look(): void {
    const leftMs = this.heardAtMs + this.limitMs - performance.now();
    if (leftMs > 0) {
      this.timer = setTimeout(() => this.look(), leftMs);
      return;
    }
    this.failed.reject(new NoAnswer(`no answer within ${this.limitMs} ms`));
    this.onSilence();
  }
}
