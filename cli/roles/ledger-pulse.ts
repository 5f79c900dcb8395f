// How the ledger is, for a gateway's readiness: a simple query every few seconds.
import { stateOf } from "../../consumers/orders/recorder.ts";
import { withTimeout } from "../../consumers/shards/ledger-watch.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";

const EVERY_MS = 2_000;
/** A query that takes longer counts as unanswered. */
const WAIT_MS = 2_000;

export class LedgerPulse {
  /** `up`, `away`, or what the ledger's error says. */
  state = "up";
  private readonly timer: Timer;
  private asking = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "positions">,
  ) {
    this.timer = runtime.startInterval(() => void this.look(), EVERY_MS);
  }

  stop(): void {
    this.runtime.stopTimer(this.timer);
  }

  private async look(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    try {
      await withTimeout(this.runtime, this.ledger.positions(), WAIT_MS);
      this.state = "up";
    } catch (error) {
      this.state = stateOf(error);
    }
    this.asking = false;
  }
}
