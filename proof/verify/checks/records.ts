// I1: the orders table has exactly the orders of the journal, each with the same state.
import type { OrderRecord } from "../../../ledger/audit.ts";
import { type Evidence, orderKey, type Slice } from "../evidence.ts";
import type { Findings } from "../findings.ts";

export class RecordsCheck {
  private readonly seen = new Set<string>();

  constructor(
    private readonly evidence: Evidence,
    private readonly slice: Slice,
    private readonly findings: Findings,
  ) {}

  record(record: OrderRecord): void {
    if (!this.slice(record.user)) return;
    const key = orderKey(record.user, record.id);
    const order = this.evidence.ledger.get(key);
    if (this.seen.has(key)) this.wrong("an order is in the ledger twice", key);
    this.seen.add(key);
    if (!order) this.wrong("an order's record has no decision in the journal", key);
    else if (order.state !== record.state)
      this.wrong(
        "an order's record differs from its journal",
        `${key}: ${record.state}, ${order.state}`,
      );
    else if (order.key !== record.message || order.index !== record.index)
      this.wrong("an order's record points to another decision", key);
  }

  end(): void {
    for (const key of this.evidence.ledger.keys())
      if (!this.seen.has(key)) this.wrong("an order of the journal has no record", key);
  }

  private wrong(what: string, example: string): void {
    this.findings.violation("I1", what, example);
  }
}
