// Runs a worker's tasks between heartbeats. A task that hangs or fails delays no other, and a task
// that is still running is not started again. Every call in a task has a deadline of its own
// (docs/decisions/0013-deadlines.md), so each task ends.

import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

/** Longer than all of those deadlines but one, so that the log names only what is stuck. */
const LATE_MS = 15_000;

interface Chore {
  readonly sinceMs: number;
  logged: boolean;
}

export class Chores {
  private readonly underWay = new Map<string, Chore>();

  constructor(
    private readonly runtime: Runtime,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  /** Starts a task, unless the last one of this name is still running. */
  begin(name: string, work: () => Promise<unknown>): void {
    const before = this.underWay.get(name);
    if (before) this.late(name, before);
    else void this.run(name, work);
  }

  private async run(name: string, work: () => Promise<unknown>): Promise<void> {
    this.underWay.set(name, { sinceMs: this.runtime.monotonicMs(), logged: false });
    try {
      await work();
    } catch (error) {
      this.log("task failed", { what: name, error: messageOf(error) });
    }
    this.underWay.delete(name);
  }

  private late(name: string, chore: Chore): void {
    const forMs = this.runtime.monotonicMs() - chore.sinceMs;
    if (chore.logged || forMs < LATE_MS) return;
    chore.logged = true;
    this.log("task still running", { what: name, forMs: Math.round(forMs) });
  }
}
