// A peer that runs: its parts, and the number of orders in its ledger.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { type Usage, usageOf } from "../intake/usage.ts";
import { check, type Expected, type LedgerRow } from "./check.ts";
import type { Driven, DriveOptions } from "./driver.ts";
import { loadPeer, type PeerName } from "./list.ts";
import { Part } from "./part.ts";
import type { Peer, Places } from "./peer.ts";
import { ITEMS, madeAs } from "./workload.ts";

const DRAIN_MS = 60_000;
const LOOK_MS = 10;
/** pg-boss commits an order after its handler, which has reported it. */
const COMMIT_MS = 5_000;
const AGAIN_MS = 100;

export class PeerSystem {
  private recorded = 0;
  private front: Part | undefined;
  private back: Part | undefined;
  private serving = false;

  private constructor(
    readonly name: PeerName,
    readonly peer: Peer,
    private readonly places: Places,
  ) {}

  /** Prepares the stores and starts the parts. */
  static async start(name: PeerName, places: Places): Promise<PeerSystem> {
    const peer = await loadPeer(name);
    const system = new PeerSystem(name, peer, places);
    try {
      await peer.prepare(places, ITEMS);
      await system.startParts();
      return system;
    } catch (error) {
      await system.stop();
      throw error;
    }
  }

  /** CPU and memory of its parts. */
  usage(): Map<string, Usage> {
    const parts = [this.front, this.back].flatMap((part) => (part ? [part] : []));
    return new Map(parts.map(({ kind, pid }) => [kind, usageOf(pid)]));
  }

  async drive(options: DriveOptions): Promise<Driven> {
    return (await this.ask({ do: "drive", ...options })) as Driven;
  }

  /** µs of CPU per order that the generator takes within the front. */
  async generatorMicros(): Promise<number> {
    return (await this.ask({ do: "cost" })) as number;
  }

  /** Serves HTTP and returns the port. */
  async serve(): Promise<number> {
    this.serving = true;
    return (await this.ask({ do: "serve" })) as number;
  }

  /** Waits until every submitted order is in the ledger, and returns how many there are. */
  async drained(): Promise<number> {
    const end = realRuntime.monotonicMs() + DRAIN_MS;
    for (;;) {
      const submitted = (await this.ask({ do: "submitted" })) as number;
      if (this.recorded >= submitted || realRuntime.monotonicMs() > end) return this.recorded;
      await realRuntime.sleep(LOOK_MS);
    }
  }

  /** Submits a sample once more, then compares ledger and stock with what was submitted. */
  async violations(): Promise<string[]> {
    if (!this.serving) {
      await this.ask({ do: "again" });
      await this.drained();
    }
    const orders = (await this.ask({ do: "submitted" })) as number;
    for (const end = realRuntime.monotonicMs() + COMMIT_MS; ; await realRuntime.sleep(AGAIN_MS)) {
      const found = await this.compared(orders);
      if (found.length === 0 || realRuntime.monotonicMs() > end) return found;
    }
  }

  /** What is wrong in ledger and stock, if this many orders were submitted. */
  private async compared(orders: number): Promise<string[]> {
    const expected: Expected = {
      items: ITEMS,
      left: await this.peer.unitsLeft(this.places),
      orders,
      ...(this.serving ? {} : { submitted: (id) => madeAs(id, orders) }),
    };
    return check(await this.rows(), expected);
  }

  async stop(): Promise<void> {
    await this.front?.stop();
    await this.back?.stop();
  }

  private async startParts(): Promise<void> {
    const onRecorded = (recorded: number) => {
      this.recorded = recorded;
      if (this.peer.back) this.front?.tell({ do: "heard", recorded });
    };
    const options = { peer: this.name, places: this.places, onRecorded };
    this.front = await Part.start("front", options);
    if (this.peer.back) this.back = await Part.start("back", options);
  }

  private ask(command: Parameters<Part["ask"]>[0]): Promise<unknown> {
    if (!this.front) throw new Error("the front does not run");
    return this.front.ask(command);
  }

  private async rows(): Promise<AsyncIterable<readonly LedgerRow[]>> {
    if (this.peer.ledger === "sqlite") {
      const { sqliteRows } = await import("./sqlite-ledger.ts");
      return sqliteRows(this.places.sqlite);
    }
    const { postgresRows } = await import("./postgres-ledger.ts");
    return postgresRows(this.places.postgres);
  }
}
