// How late this process's event loop runs: by how much a periodic timer fires too late.
//
// All readers of a runtime with the same interval share a timer: on a process at rest it costs more
// to be woken than to do what it was woken for (docs/decisions/0025-idle-cost.md).
import type { Runtime, Timer } from "../runtime/runtime.ts";

const EVERY_MS = 100;

export class LoopDelay {
  /** The worst since the last take, ms. */
  worstMs = 0;
  private readonly sampler: Sampler;

  constructor(
    private readonly runtime: Runtime,
    everyMs = EVERY_MS,
  ) {
    this.sampler = samplerOf(runtime, everyMs);
    this.sampler.add(this);
  }

  /** The worst delay since the last take, ms, including one that is still under way. */
  take(): number {
    const worst = Math.max(this.worstMs, this.runtime.monotonicMs() - this.sampler.dueMs);
    this.worstMs = 0;
    return Math.max(0, Math.round(worst));
  }

  stop(): void {
    this.sampler.remove(this);
  }
}

/** One timer, and who reads it. It runs while there is a reader. */
class Sampler {
  dueMs = 0;
  private readonly readers = new Set<LoopDelay>();
  private timer: Timer | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly everyMs: number,
  ) {}

  add(reader: LoopDelay): void {
    this.readers.add(reader);
    if (this.timer) return;
    this.dueMs = this.runtime.monotonicMs() + this.everyMs;
    this.timer = this.runtime.startInterval(() => this.tick(), this.everyMs);
    this.timer.unref();
  }

  remove(reader: LoopDelay): void {
    this.readers.delete(reader);
    if (this.readers.size > 0) return;
    this.runtime.stopTimer(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    const nowMs = this.runtime.monotonicMs();
    const lateMs = nowMs - this.dueMs;
    for (const reader of this.readers) reader.worstMs = Math.max(reader.worstMs, lateMs);
    this.dueMs = nowMs + this.everyMs;
  }
}

const SAMPLERS = new WeakMap<Runtime, Map<number, Sampler>>();

function samplerOf(runtime: Runtime, everyMs: number): Sampler {
  let samplers = SAMPLERS.get(runtime);
  if (!samplers) {
    samplers = new Map();
    SAMPLERS.set(runtime, samplers);
  }
  let sampler = samplers.get(everyMs);
  if (!sampler) {
    sampler = new Sampler(runtime, everyMs);
    samplers.set(everyMs, sampler);
  }
  return sampler;
}
