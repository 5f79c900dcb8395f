// The simulated payment provider: the stub's own counter and book (stubs/provider) behind a
// network of events, in front of which the real client (consumers/payments/provider-client.ts)
// decides what to believe.
import type { Fetch } from "../../consumers/payments/provider-call.ts";
import type { Misbehaviour, Shares } from "../../stubs/provider/behaviour.ts";
import { Book } from "../../stubs/provider/book.ts";
import { Desk } from "../../stubs/provider/desk.ts";
import { Counter } from "../../stubs/provider/server.ts";
import { SimulatedProcess } from "./process.ts";
import type { Scheduler } from "./scheduler.ts";

export const PROVIDER_URL = "http://provider.simulated";

/** What may happen to a charge. */
export const MOODS: readonly Misbehaviour[] = [
  ...(["decline", "error_before", "error_after", "timeout_before", "timeout_after"] as const),
  ...(["limited", "slow", "pending", "html200", "redirect", "wrong_key", "wrong_amount"] as const),
  ...(["declined200", "refund_refused", "refund_conflict", "refund_error"] as const),
  ...(["refund_pending", "late_capture"] as const),
];
/** One charge in three meets one of these; each has the same share. */
export const USUAL_SHARES = Object.fromEntries(
  MOODS.map((mood) => [mood, 1 / 3 / MOODS.length]),
) as Shares;
const DELAYS = { hangMs: 10_000, slowMs: 800, pendingMs: 1_500, lateCaptureMs: 8_000 };
/** One way between a payment worker and the provider, ms. */
const TRIP_MS = 20;

export class SimulatedProvider {
  readonly book = Book.inMemory();
  /** While true, it cannot be reached. */
  unreachable = false;
  private readonly desk: Desk;
  private readonly counter: Counter;

  constructor(
    private readonly scheduler: Scheduler,
    seed: number,
    shares: Shares,
  ) {
    const runtime = new SimulatedProcess(scheduler, "provider");
    const options = { runtime, file: "", port: 0, shares, seed, webhookSecrets: [] };
    this.desk = new Desk({ ...options, delays: DELAYS }, this.book);
    this.counter = new Counter(this.desk);
  }

  /** Whether every call fails with 503. */
  get outage(): boolean {
    return this.counter.outage;
  }

  set outage(on: boolean) {
    this.counter.outage = on;
  }

  /** From now on it takes every charge, so that a simulation comes to rest. */
  forgive(): void {
    this.unreachable = false;
    this.counter.outage = false;
    this.counter.charges.forgiving = true;
  }

  /** Changes that are still due. */
  get open(): number {
    return this.desk.open;
  }

  /** Its own record, as `verify` reads it. */
  records() {
    return [...this.book.charges.values()].map((charge) => ({
      ...charge,
      returned: charge.refundedBy === "provider",
    }));
  }

  /** How a payment worker reaches it. */
  from(caller: SimulatedProcess): Fetch {
    return (url, init) => {
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      const request = new Request(url, init);
      init.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      const answer = (what: string, then: () => void) =>
        caller.world.event(`provider: ${what}`, then, this.trip());
      const arrive = () => {
        if (this.unreachable) return answer("refused", () => reject(refused()));
        void this.counter.answer(request).then((response) => {
          answer("answers", () => resolve(response));
        });
      };
      this.scheduler.event("provider: call", arrive, this.trip());
      return promise;
    };
  }

  private trip(): number {
    return this.scheduler.random() * TRIP_MS;
  }
}

/** As the platform's fetch reports a connection that was never made. */
function refused(): Error {
  return Object.assign(new Error("connection refused"), { code: "ConnectionRefused" });
}
