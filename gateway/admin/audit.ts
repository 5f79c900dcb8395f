// Audits every operator call, refused ones included. Strangers cannot fill the ledger with records:
// calls without an operator's token are recorded up to a rate, and the next record counts the rest.
import type { Ledger } from "../../ledger/contract.ts";

/** Recorded calls of strangers per second. */
const STRANGERS_PER_S = 5;
const STRANGERS_BURST = 20;
/** Characters of what callers chose; the rest is cut off. */
const MAX_SUBJECT = 255;
const MAX_TARGET = 1_000;
const MAX_DETAIL = 128;

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
    const { action, status } = call;
    const subject = oneLine(call.subject, MAX_SUBJECT);
    const target = oneLine(call.target, MAX_TARGET);
    const said = Object.entries(call.detail).map(([name, value]) => [
      name,
      typeof value === "string" ? oneLine(value, MAX_DETAIL) : value,
    ]);
    if (this.unrecorded > 0) said.push(["strangersUnrecorded", this.unrecorded]);
    const detail = JSON.stringify(Object.fromEntries(said));
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

/** Without control characters, which would reach an operator's terminal, and cut to a length. */
function oneLine(text: string, most: number): string {
  const plain = text.replaceAll(/\p{Cc}/gu, "�");
  return plain.length > most ? `${plain.slice(0, most - 1)}…` : plain;
}
