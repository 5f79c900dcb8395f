// The work between beats, piece by piece. A piece that hangs or fails keeps no other from being
// done, and one that is still under way is not begun again. What a piece waits for has a deadline
// of its own (docs/decisions/0013-deadlines.md), so each comes to an end.

import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

/**
 * Above the longest of those deadlines but one: the log should name what is stuck.
 */
const LATE_MS = 15_000;

interface Chore {
  readonly sinceMs: number;
  told: boolean;
}

export class Chores {
  private readonly underWay = new Map<string, Chore>();

  constructor(
    private readonly runtime: Runtime,
    private readonly log: (event: string, detail: Record<string, unknown>) => void,
  ) {}

  /** Begins a piece of work, unless the last one of its name is not done yet. */
  begin(name: string, work: () => Promise<unknown>): void {
    const before = this.underWay.get(name);
    if (before) this.late(name, before);
    else void this.run(name, work);
  }

  private async run(name: string, work: () => Promise<unknown>): Promise<void> {
    this.underWay.set(name, { sinceMs: this.runtime.monotonicMs(), told: false });
    try {
      await work();
    } catch (error) {
      this.log("left undone", { what: name, error: messageOf(error) });
    }
    this.underWay.delete(name);
  }

  private late(name: string, chore: Chore): void {
    const forMs = this.runtime.monotonicMs() - chore.sinceMs;
    if (chore.told || forMs < LATE_MS) return;
    chore.told = true;
    this.log("not done yet", { what: name, forMs: Math.round(forMs) });
  }
}
