// I9: each failure has its dead letter, unless the ledger records that the operator handled it, and
// no letter reports a failure that did not happen. Letters about anything else (input that was no
// order) are listed.
import type { ChargeRecord, LetterFate } from "../../../ledger/audit.ts";
import { type LedgerOrder, orderKey } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import type { QueueDepth } from "./rest.ts";

export interface Letter {
  /** Distinguishes letters of a queue. A letter may be there twice if its confirm was lost. */
  readonly id: string;
  readonly reason: string;
  /** The order it names; empty if none. */
  readonly user: string;
  readonly order: string;
}

/** Reasons in the ledger's own letters → the failures they stand for. */
const FAILURES: Readonly<Record<string, string>> = {
  "the order could not be decided": "rejected",
  payment_failed: "payment_failed",
  refund_failed: "refund_failed",
  charge_unresolved: "unresolved",
};
const OF_ORDERS = new Set(["rejected", "payment_failed"]);
const OF_CHARGES = new Set(["refund_failed", "unresolved"]);

export class LettersCheck {
  /** `failure user id` → the generation that failed. */
  private readonly failed = new Map<string, number>();
  private readonly letters = new Map<string, Letter>();
  /** `failure user id` of the existing letters → whether that failure ever happened. */
  private readonly said = new Map<string, boolean>();

  constructor(
    queues: readonly QueueDepth[],
    private readonly findings: Findings,
  ) {
    for (const { queue, letters } of queues)
      for (const letter of letters ?? []) this.letters.set(`${queue} ${letter.id}`, letter);
    for (const letter of this.letters.values()) {
      const failure = FAILURES[letter.reason];
      const key = orderKey(letter.user, letter.order);
      if (failure && letter.user !== "") this.said.set(`${failure} ${key}`, false);
      else findings.note("dead letters that report no failure of an order", letter.reason);
    }
  }

  order({ user, id, state, had, generation }: LedgerOrder): void {
    const key = orderKey(user, id);
    if (OF_ORDERS.has(state)) this.failed.set(`${state} ${key}`, generation);
    for (const failure of OF_ORDERS) if (had.includes(failure)) this.happened(`${failure} ${key}`);
  }

  charge({ user, id, generation, status }: ChargeRecord): void {
    const key = orderKey(user, id);
    if (OF_CHARGES.has(status)) this.failed.set(`${status} ${key}`, generation);
    // It may have succeeded since, with its letter about to be removed.
    for (const failure of OF_CHARGES) this.happened(`${failure} ${key}`);
  }

  end(fates: readonly LetterFate[]): void {
    const dealtWith = new Map<string, number>();
    for (const { user, id, reason, generation } of fates) {
      const name = `${FAILURES[reason]} ${orderKey(user, id)}`;
      dealtWith.set(name, Math.max(generation, dealtWith.get(name) ?? 0));
    }
    for (const [name, generation] of this.failed) {
      if (this.said.has(name)) continue;
      // A redriven order that failed again has a new letter; a rejected one has a single letter.
      const dealt = dealtWith.get(name);
      const over = dealt !== undefined && (dealt >= generation || name.startsWith("rejected "));
      if (over) this.findings.note("failures whose dead letter an operator handled", name);
      else this.findings.violation("I9", "a failure has no dead letter", name);
    }
    for (const [name, happened] of this.said)
      if (!happened)
        this.findings.violation("I9", "a dead letter reports a failure that did not happen", name);
  }

  private happened(name: string): void {
    if (this.said.has(name)) this.said.set(name, true);
  }
}
