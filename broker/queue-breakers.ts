// Which of a region's queues are not trusted with messages, whatever the region itself is. Each has
// a breaker of its own from the moment it fails until it confirms again.
import type { Runtime } from "../core/runtime/runtime.ts";
import { type BreakerState, RegionBreaker } from "./breaker.ts";

export interface QueueBreakersOptions {
  readonly runtime: Runtime;
  /** How long the broker must be healthy before a queue gets a message on trial, ms. */
  readonly healthyMs: number;
  readonly onChange: (queue: string, state: BreakerState, why: string) => void;
}

export class QueueBreakers {
  private readonly breakers = new Map<string, RegionBreaker>();

  constructor(private readonly options: QueueBreakersOptions) {}

  /** Those that get no messages, or one at a time on trial. */
  get doubted(): string[] {
    return [...this.breakers.keys()];
  }

  get(queue: string): RegionBreaker | undefined {
    return this.breakers.get(queue);
  }

  confirmed(queue: string): void {
    const breaker = this.breakers.get(queue);
    breaker?.confirmed();
    if (breaker?.state === "closed") this.breakers.delete(queue);
  }

  failed(queue: string, why: string): void {
    let breaker = this.breakers.get(queue);
    if (!breaker) {
      const { runtime, healthyMs, onChange } = this.options;
      const tell = (state: BreakerState, reason: string) => onChange(queue, state, reason);
      breaker = new RegionBreaker({ runtime, healthyMs, onChange: tell });
      this.breakers.set(queue, breaker);
    }
    breaker.failed(why);
  }

  looked(healthy: boolean): void {
    for (const breaker of this.breakers.values()) breaker.looked(healthy);
  }
}
