// One direction of a connection: what is sent arrives in order, each item as an event of the
// scheduler. It can be held back, and what is under way can be dropped.
import type { WorldScheduler } from "./scheduler.ts";

/** Two items never arrive at the same moment, so the scheduler cannot swap them. */
const APART_MS = 1e-6;

export class Way<T> {
  private items: T[] = [];
  private lastDueMs = 0;
  private readonly reasons = new Set<string>();
  /** Items whose time has come while they were held back. */
  private due = 0;
  /** Drops make the events of what was dropped void. */
  private generation = 0;

  constructor(
    private readonly scheduler: WorldScheduler,
    private readonly name: string,
    private readonly arrive: (item: T) => void | Promise<void>,
  ) {}

  get length(): number {
    return this.items.length;
  }

  get held(): boolean {
    return this.reasons.size > 0;
  }

  send(what: string, item: T, delayMs: number): void {
    this.items.push(item);
    const { generation } = this;
    this.schedule(what, delayMs, () => (generation === this.generation ? this.next() : undefined));
  }

  /** Arrives at once. Only while nothing is under way. */
  now(item: T): void {
    void this.arrive(item);
  }

  hold(reason: string): void {
    this.reasons.add(reason);
  }

  /** Returns whether it was held for this reason. */
  release(reason: string): boolean {
    const was = this.reasons.delete(reason);
    const { generation } = this;
    for (; !this.held && this.due > 0; this.due--)
      this.schedule("held", 0, () => (generation === this.generation ? this.next() : undefined));
    return was;
  }

  /** Nothing of what is under way arrives; returns it, in order. */
  drop(): T[] {
    this.generation++;
    this.due = 0;
    this.lastDueMs = 0;
    return this.items.splice(0);
  }

  private schedule(what: string, delayMs: number, run: () => void | Promise<void>): void {
    const nowMs = this.scheduler.nowMs();
    this.lastDueMs = Math.max(nowMs + delayMs, this.lastDueMs + APART_MS);
    this.scheduler.event(`${this.name} ${what}`, run, this.lastDueMs - nowMs);
  }

  private next(): void | Promise<void> {
    if (this.held) {
      this.due++;
      return;
    }
    const item = this.items.shift();
    if (item !== undefined) return this.arrive(item);
  }
}
