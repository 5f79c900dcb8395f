// Audits every operator call, refused ones included. Strangers cannot fill the ledger with records:
// calls without an operator's token are recorded up to a rate, and the next record counts the rest.
import type { Ledger } from "../../ledger/contract.ts";

/** Recorded calls of strangers per second. */
const STRANGERS_PER_S = 5;
const STRANGERS_BURST = 20;

export interface Call {
  /** undefined: the call had no operator's token. */
  readonly operator: string | undefined;
  /** The subject of the token, or `-`. */
  readonly subject: string;
  readonly action: string;
  readonly target: string;
  readonly detail: Readonly<Record<string, unknown>>;
  readonly status: number;
}

export class Audit {
  private tokens = STRANGERS_BURST;
  private filledAtMs: number;
  private unrecorded = 0;

  constructor(
    private readonly ledger: Pick<Ledger, "audit">,
    private readonly clock: () => number,
    private readonly monotonicMs: () => number,
  ) {
    this.filledAtMs = monotonicMs();
  }

  /** Rejects if the ledger cannot record the call. */
  async record(call: Call): Promise<void> {
    if (call.operator === undefined && !this.takeToken()) {
      this.unrecorded++;
      return;
    }
    const { subject, action, target, status } = call;
    const detail = JSON.stringify(
      this.unrecorded > 0 ? { ...call.detail, strangersUnrecorded: this.unrecorded } : call.detail,
    );
    this.unrecorded = 0;
    await this.ledger.audit({ atMs: this.clock(), subject, action, target, detail, status });
  }

  private takeToken(): boolean {
    const nowMs = this.monotonicMs();
    this.tokens = Math.min(
      STRANGERS_BURST,
      this.tokens + ((nowMs - this.filledAtMs) / 1000) * STRANGERS_PER_S,
    );
    this.filledAtMs = nowMs;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
