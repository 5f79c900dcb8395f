// How the ledger is, for a gateway's readiness and log: a simple query every few seconds.
import { stateOf } from "../../consumers/orders/recorder.ts";
import { withTimeout } from "../../consumers/shards/ledger-watch.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Log } from "../log.ts";

const EVERY_MS = 2_000;
/** A query that takes longer counts as unanswered. */
const WAIT_MS = 2_000;

export class LedgerPulse {
  /** `up`, `away`, or what the ledger's error says. */
  state = "up";
  private readonly timer: Timer;
  private asking = false;
  private awaySinceMs = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "positions">,
    private readonly log: Log,
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
      this.answered();
    } catch (error) {
      this.failed(error);
    }
    this.asking = false;
  }

  private answered(): void {
    if (this.state !== "up")
      this.log("ledger back", {
        afterMs: Math.round(this.runtime.monotonicMs() - this.awaySinceMs),
      });
    this.state = "up";
  }

  private failed(error: unknown): void {
    if (this.state === "up") {
      this.awaySinceMs = this.runtime.monotonicMs();
      this.log("ledger away", { error: messageOf(error) });
    }
    this.state = stateOf(error);
  }
}
