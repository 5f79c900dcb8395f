// Moments at which a fault hurts most: between two steps that belong together. They are recognized
// by the names of the events that pass them, so the code that passes one knows nothing of it.
import type { Scheduler } from "./scheduler.ts";

/**
 * Each names the process that passes it first. `→`: the call has taken effect; `←`: its answer has
 * arrived.
 */
export const MOMENTS = {
  /** Redis has decided, and the worker does not know yet. */
  deciding: /^(worker-\S+) redis → fcall (?:decide|expire|unpark)_/,
  /** The worker knows what Redis has decided; the ledger does not. */
  decided: /^(worker-\S+) redis ← fcall (?:decide|expire|unpark)_/,
  /** The ledger has it, and the worker does not know yet. */
  recording: /^(worker-\S+) ledger → record$/,
  recorded: /^(worker-\S+) ledger ← record$/,
  /** Redis knows what the ledger has; what was decided since then, the ledger may not have. */
  marking: /^(worker-\S+) redis → fcall recorded_/,
  acknowledging: /^(worker-\S+) → \S+ BasicAck$/,
  /** A follow-up, or an outcome, has reached a broker; its confirm has not come back. */
  following: /^(worker-\S+) → \S+ BasicPublish$/,
  ordering: /^(\S+\.gateway-\S+) → \S+ BasicPublish$/,
  claiming: /^((?:warehouse|gallery)-\S+) → \S+ BasicPublish$/,
  answering: /^(payments-\S+) → \S+ BasicPublish$/,
  /** The provider's answer has come back. */
  charged: /^(payments-\S+) provider: answers$/,
  /** A rebuild has loaded one more piece. */
  loading: /^(worker-\S+) redis → fcall restore_/,
} as const satisfies Record<string, RegExp>;

export type Moment = keyof typeof MOMENTS;

interface Waiting {
  readonly moment: Moment;
  readonly call: (process: string) => void;
  /** How often it must still pass. */
  left: number;
}

/** Waits for moments of one simulation. */
export class Moments {
  private readonly waiting = new Map<Moment, Set<Waiting>>();

  constructor(private readonly scheduler: Scheduler) {}

  /** Calls once the moment has passed `nth` times from now on; the result ends the wait. */
  next(moment: Moment, nth: number, call: (process: string) => void): () => void {
    const one: Waiting = { moment, call, left: Math.max(1, nth) };
    const those = this.waiting.get(moment) ?? new Set<Waiting>();
    this.waiting.set(moment, those.add(one));
    this.scheduler.onRan = this.passed;
    return () => this.end(one);
  }

  clear(): void {
    for (const those of [...this.waiting.values()]) for (const one of [...those]) this.end(one);
  }

  private readonly passed = (event: string): void => {
    for (const [moment, those] of this.waiting) {
      const process = MOMENTS[moment].exec(event)?.[1];
      if (process === undefined) continue;
      for (const one of [...those]) {
        if (--one.left > 0) continue;
        this.end(one);
        one.call(process);
      }
    }
  };

  private end(one: Waiting): void {
    const those = this.waiting.get(one.moment);
    those?.delete(one);
    if (those?.size === 0) this.waiting.delete(one.moment);
    if (this.waiting.size === 0) this.scheduler.onRan = undefined;
  }
}
