// Puts operators' verdicts on rates into Redis, and knows which rates wait. The gateway or the
// command that took a verdict puts it there at once; the owner of shard 0 repeats it in case that
// failed. It also counts what waits, for metrics.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { RateStore, Settled } from "../../core/stores/rate-store.ts";
import type { Ledger } from "../../ledger/contract.ts";

type Operations = Pick<Ledger, "operationsOpen" | "operationsDone">;

const REFRESH_MS = 2_000;

export interface RateSyncOptions {
  readonly runtime: Runtime;
  readonly ledger: Operations;
  readonly store: Pick<RateStore, "settle" | "waiting">;
}

export class RateSync {
  /** undefined: not read yet, which is not zero. */
  private held: number | undefined;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: RateSyncOptions) {}

  report(): { readonly ratesHeld?: number } {
    return this.held === undefined ? {} : { ratesHeld: this.held };
  }

  async refresh(): Promise<void> {
    const { runtime, ledger, store } = this.options;
    if (runtime.monotonicMs() - this.refreshedAtMs < REFRESH_MS) return;
    this.refreshedAtMs = runtime.monotonicMs();
    await settleRates(ledger, store);
    this.held = (await store.waiting()).filter(({ state }) => state === "held").length;
  }
}

/**
 * Writes open verdicts to Redis, oldest first. Returns their results, by reference. Redis accepts
 * each for as long as its rate waits.
 */
export async function settleRates(
  ledger: Operations,
  store: Pick<RateStore, "settle">,
): Promise<ReadonlyMap<string, Settled>> {
  const settled = new Map<string, Settled>();
  for (const { id, operation } of await ledger.operationsOpen()) {
    if (operation.kind !== "rate") continue;
    const { ref, verdict, pair, value } = operation;
    settled.set(ref, await store.settle(verdict, pair, value));
    await ledger.operationsDone([id]);
  }
  return settled;
}
