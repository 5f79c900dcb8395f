// Gathers items into groups. While `lanes` groups are in flight, the next one fills; nothing waits
// for a timer. This is how all peers that work in groups make them.
import { realRuntime } from "../../core/runtime/runtime.ts";

interface Ticket {
  left: number;
  resolve(): void;
  reject(reason: unknown): void;
}

export interface GatherOptions {
  /** Most items of a group. */
  readonly most: number;
  /** Most groups in flight. */
  readonly lanes: number;
}

export class Gather<T> {
  private items: T[] = [];
  private tickets: Ticket[] = [];
  private inFlight = 0;
  private starting = false;

  constructor(
    private readonly options: GatherOptions,
    private readonly work: (group: readonly T[]) => Promise<unknown>,
  ) {}

  /** Resolves when the groups of these items are done. */
  add(items: readonly T[]): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const ticket = { left: items.length, resolve, reject };
    for (const item of items) {
      this.items.push(item);
      this.tickets.push(ticket);
    }
    this.start();
    return promise;
  }

  /** Starts groups when this turn of the event loop has brought all its items. */
  private start(): void {
    if (this.starting || this.items.length === 0 || this.inFlight === this.options.lanes) return;
    this.starting = true;
    realRuntime.nextTurn(() => {
      this.starting = false;
      const { most, lanes } = this.options;
      while (this.items.length > 0 && this.inFlight < lanes)
        void this.run(this.items.splice(0, most), this.tickets.splice(0, most));
    });
  }

  private async run(group: readonly T[], tickets: readonly Ticket[]): Promise<void> {
    this.inFlight++;
    try {
      await this.work(group);
      for (const ticket of tickets) if (--ticket.left === 0) ticket.resolve();
    } catch (error) {
      for (const ticket of tickets) ticket.reject(error);
    }
    this.inFlight--;
    this.start();
  }
}
