// I1, as followers see it: the events of an order, which `/events` and `follow` send to its buyer,
// are the states that the journal gave it after its first one.
import { isOrderState } from "../../../core/domain/outcome.ts";
import type { EventRecord } from "../../../ledger/audit.ts";
import { type Evidence, orderKey, type Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";

export class EventsCheck {
  /** Recorded conflicts of each order. */
  readonly conflicts = new Map<string, number>();
  /** The states that an order's events name. */
  private readonly named = new Map<string, string[]>();

  constructor(
    private readonly evidence: Evidence,
    private readonly slice: Slice,
    private readonly findings: Findings,
  ) {}

  event({ user, id, event }: EventRecord): void {
    if (!this.slice(user)) return;
    const key = orderKey(user, id);
    if (event === "conflict") this.conflicts.set(key, (this.conflicts.get(key) ?? 0) + 1);
    if (!isOrderState(event)) return;
    const named = this.named.get(key);
    if (named) named.push(event);
    else this.named.set(key, [event]);
  }

  end(): void {
    const { ledger } = this.evidence;
    for (const [key, { had }] of ledger) this.compare(key, this.named.get(key) ?? [], had.slice(1));
    for (const [key, named] of this.named) if (!ledger.has(key)) this.compare(key, named, []);
  }

  /** Entries of one transaction may write the events of an order in another sequence. */
  private compare(key: string, named: readonly string[], had: readonly string[]): void {
    if (named.length === had.length && named.toSorted().join() === had.toSorted().join()) return;
    this.findings.violation(
      "I1",
      "an order's events differ from its journal",
      `${key}: ${named}, journal ${had}`,
    );
  }
}
