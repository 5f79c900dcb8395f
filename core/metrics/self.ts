// What every role reports about its process.
import { hostname } from "node:os";
import type { ProcessReport } from "../domain/report.ts";
import { ignoredErrors } from "../runtime/ignored.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { LoopDelay } from "./loop-delay.ts";

export class Self {
  private readonly sinceMs: number;
  private readonly host = hostname();
  private readonly loop: LoopDelay;
  private loopDelayMs = 0;
  private takenAtMs = 0;
  /** The last that could be read. */
  private rssBytes = 0;

  constructor(
    private readonly runtime: Runtime,
    readonly id: string,
  ) {
    this.sinceMs = runtime.wallMs();
    this.loop = new LoopDelay(runtime);
  }

  report(): ProcessReport {
    const { user, system } = process.cpuUsage();
    const { id, host, sinceMs } = this;
    this.rssBytes = residentBytes() ?? this.rssBytes;
    return {
      id,
      host,
      pid: process.pid,
      sinceMs,
      rssBytes: this.rssBytes,
      cpuSeconds: (user + system) / 1e6,
      loopDelayMs: this.delay(),
      ignored: ignoredErrors(),
    };
  }

  stop(): void {
    this.loop.stop();
  }

  /** The worst delay of about the last second, whichever reader asks. */
  private delay(): number {
    const nowMs = this.runtime.monotonicMs();
    if (nowMs - this.takenAtMs > 900) {
      this.loopDelayMs = this.loop.take();
      this.takenAtMs = nowMs;
    }
    return this.loopDelayMs;
  }
}

/** undefined: it cannot be read, for example without a file descriptor left. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
