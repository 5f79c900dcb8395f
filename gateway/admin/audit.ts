// Audits every operator call, refused ones included. A change is on record before it happens.
// Strangers cannot fill the ledger with records: calls without an operator's token are recorded up
// to a rate, and the next record counts the rest.
import { plain } from "../../core/domain/plain.ts";
import type { Ledger } from "../../ledger/contract.ts";

/** Recorded calls of strangers per second. */
const STRANGERS_PER_S = 5;
const STRANGERS_BURST = 20;
/** Characters of what callers chose; the rest is cut off. */
const MAX_SUBJECT = 255;
const MAX_TARGET = 1_000;
const MAX_DETAIL = 128;
/** An operator's request is bounded by its own limits; more than this of it is in `operations`. */
const MAX_ASKED = 2_000;

export interface Call {
  /** undefined: the call had no operator's token. */
  readonly operator: string | undefined;
  /** The subject of the token, or `-`. */
  readonly subject: string;
  readonly action: string;
  readonly target: string;
  readonly detail: Detail;
}

export interface Detail {
  readonly address: string;
  readonly ref: string | undefined;
  /** The body of a change. */
  readonly asked?: string | undefined;
}

export class Audit {
  private tokens = STRANGERS_BURST;
  private filledAtMs: number;
  private unrecorded = 0;

  constructor(
    private readonly ledger: Pick<Ledger, "audit" | "auditBegin" | "auditEnd">,
    private readonly clock: () => number,
    private readonly monotonicMs: () => number,
  ) {
    this.filledAtMs = monotonicMs();
  }

  /** Rejects if the ledger cannot record the call; then it must not happen. */
  begin(call: Call): Promise<number> {
    return this.ledger.auditBegin(this.entry(call));
  }

  /** Rejects if the ledger cannot record the result. */
  end(seq: number, call: Call, status: number): Promise<void> {
    const { target, detail } = this.entry(call);
    return this.ledger.auditEnd(seq, { target, detail, status });
  }

  /** For calls that change nothing. Rejects if the ledger cannot record the call. */
  async record(call: Call, status: number): Promise<void> {
    if (call.operator === undefined && !this.takeToken()) {
      this.unrecorded++;
      return;
    }
    const uncounted = this.unrecorded;
    this.unrecorded = 0;
    const more = uncounted > 0 ? { strangersUnrecorded: uncounted } : {};
    const stranger = call.operator === undefined;
    await this.ledger.audit({ ...this.entry(call, more), atMs: this.clock(), status, stranger });
  }

  private entry(call: Call, more: { readonly strangersUnrecorded?: number } = {}) {
    const { address, ref, asked } = call.detail;
    const detail = {
      address: oneLine(address, MAX_DETAIL),
      ref: ref === undefined ? undefined : oneLine(ref, MAX_DETAIL),
      asked: asked === undefined ? undefined : oneLine(asked, MAX_ASKED),
      ...more,
    };
    return {
      subject: oneLine(call.subject, MAX_SUBJECT),
      action: call.action,
      target: oneLine(call.target, MAX_TARGET),
      detail: JSON.stringify(detail),
    };
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

/** Cut to a length before and after it is written out, so a long text costs nothing. */
function oneLine(text: string, most: number): string {
  const safe = plain(text.slice(0, most + 1));
  return safe.length > most ? `${safe.slice(0, most - 1)}…` : safe;
}
