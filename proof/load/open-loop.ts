// Open loop: each step has a moment at which it is due, whatever became of the earlier ones. A slow
// or failing system does not slow its clients; they only have to wait for their turn.
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Step } from "./plan.ts";

/** How often a lane looks for steps that have become due. */
export const LOOK_MS = 10;

export class OpenLoop {
  private readonly startedMs = realRuntime.monotonicMs();
  private readonly dueMs: ReadonlyMap<Step, number>;
  /** Nothing new is sent any more; what was sent is still settled. */
  over = false;

  constructor(steps: readonly Step[], perSecond: number) {
    this.dueMs = new Map(steps.map((step, i) => [step, (i * 1_000) / perSecond]));
  }

  /** Whether a step may be sent now. */
  due(step: Step): boolean {
    const afterMs = this.dueMs.get(step) ?? 0;
    return !this.over && realRuntime.monotonicMs() - this.startedMs >= afterMs;
  }

  stop(): void {
    this.over = true;
  }
}
