// Drives a peer's front: submits orders as fast as the ledger follows, with a bound on those that
// are submitted but not recorded.
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Front, Order, Peer } from "./peer.ts";
import { Workload } from "./workload.ts";

export interface DriveOptions {
  /** Ends after this time, or after this many orders. */
  readonly seconds: number;
  readonly orders: number;
  /** Submits one order in a hundred again at once. */
  readonly twice: boolean;
}

export interface Driven {
  readonly seconds: number;
  /** Recorded while orders were being submitted. */
  readonly recorded: number;
}

/** One in this many is submitted again. */
const TWICE_ONE_IN = 100;
const SAMPLE_MOST = 500;
const COST_ORDERS = 200_000;
const LOOK_MS = 5;

export class Driver {
  readonly workload = new Workload();
  private recordedOrders = 0;
  private readonly sample: Order[] = [];
  private may: () => boolean = () => false;
  private twice = false;
  private failure: unknown;

  constructor(
    private readonly front: Front,
    private readonly limits: Pick<Peer, "chunk" | "window">,
  ) {}

  get submitted(): number {
    return this.workload.made;
  }

  get recorded(): number {
    return this.recordedOrders;
  }

  /** The ledger has this many orders. */
  heard(recorded: number): void {
    this.recordedOrders = recorded;
    this.fill();
  }

  async drive({ seconds, orders, twice }: DriveOptions): Promise<Driven> {
    const before = { made: this.workload.made, recorded: this.recordedOrders };
    const startedMs = realRuntime.monotonicMs();
    const endMs = startedMs + seconds * 1_000;
    this.twice = twice;
    this.may = () => this.workload.made - before.made < orders && realRuntime.monotonicMs() < endMs;
    this.fill();
    while (this.may() && this.failure === undefined) await realRuntime.sleep(LOOK_MS);
    this.may = () => false;
    if (this.failure !== undefined) throw this.failure;
    return {
      seconds: (realRuntime.monotonicMs() - startedMs) / 1_000,
      recorded: this.recordedOrders - before.recorded,
    };
  }

  /**
   * Submits a sample again, then the same number of new orders: when those are recorded, the
   * repeated ones have been seen too.
   */
  async again(): Promise<void> {
    const { chunk } = this.limits;
    for (let i = 0; i < this.sample.length; i += chunk)
      await this.front.submit(this.sample.slice(i, i + chunk));
    for (let i = 0; i < this.sample.length; i += chunk)
      await this.front.submit(this.workload.next(chunk));
  }

  /** µs of CPU that making an order costs, so that it can be told apart from the peer. */
  costOfAnOrder(): number {
    const { chunk } = this.limits;
    const workload = new Workload();
    const before = process.cpuUsage();
    for (let i = 0; i < COST_ORDERS; i += chunk) workload.next(chunk);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / COST_ORDERS;
  }

  private fill(): void {
    const { chunk, window } = this.limits;
    while (this.may() && this.workload.made - this.recordedOrders + chunk <= window) {
      const orders = this.workload.next(chunk);
      void this.submit(orders);
      const repeated = orders.filter((_, i) => (this.workload.made + i) % TWICE_ONE_IN === 0);
      if (this.sample.length < SAMPLE_MOST) this.sample.push(...repeated);
      if (this.twice && repeated.length > 0) void this.submit(repeated);
    }
  }

  private async submit(orders: readonly Order[]): Promise<void> {
    try {
      await this.front.submit(orders);
    } catch (error) {
      this.failure ??= error;
    }
  }
}
