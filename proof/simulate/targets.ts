// While a service's queue takes nothing, charges must go on: a broken target delays no other.
import type { Db } from "../../ledger/db.ts";

/** Longer than any follow-up waits whose target takes it, ms. */
const MAX_MS = 4_000;

export class Targets {
  /** When each open follow-up for another target was first seen, by its id. */
  private seenMs = new Map<number, number>();
  private readonly late = new Set<string>();

  constructor(
    private readonly db: Db,
    private readonly now: () => number,
  ) {}

  /** Targets that were held up, as lines. */
  get violations(): string[] {
    return [...this.late].map((key) => `targets: a broken queue holds up those for '${key}'`);
  }

  async look(): Promise<void> {
    const rows = await this.db.run(
      `SELECT id, routing_key FROM follow_ups
       WHERE done = 0 AND due_ms = 0 AND exchange <> 'fulfilment'
       AND routing_key NOT LIKE 'fulfilment.%'`,
    );
    const before = this.seenMs;
    this.seenMs = new Map();
    for (const { id, routing_key: key } of rows) {
      const sinceMs = before.get(Number(id)) ?? this.now();
      this.seenMs.set(Number(id), sinceMs);
      if (this.now() - sinceMs > MAX_MS) this.late.add(String(key));
    }
  }
}
