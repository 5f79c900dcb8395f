// Follows the audit log: each entry once when it begins, and once more when its result arrives.

import type { AuditQuery, AuditRecord } from "../ledger/audit-log.ts";
import type { Ledger } from "../ledger/contract.ts";
import { SeenEntries } from "./operator/seen-entries.ts";

/** Entries read at once. */
const PAGE = 500;
/** Entries without a result that are looked at again; older ones may never get one. */
const MAX_OPEN = 100;

export class AuditFollower {
  private seen: SeenEntries;
  private readonly open = new Set<number>();

  /**
   * Begins after the present entries. `shown`: those that the caller has, in any order. A page
   * without a match covers only some thousands of entries: older matches are not new either.
   */
  static async begin(
    ledger: Pick<Ledger, "auditLog">,
    filter: Pick<AuditQuery, "subjects" | "action" | "changes">,
    shown: readonly AuditRecord[],
    nowMs: () => number,
  ): Promise<AuditFollower> {
    const known = shown.length > 0 ? shown : (await ledger.auditLog({ limit: PAGE })).records;
    return new AuditFollower(ledger, filter, known, nowMs);
  }

  private constructor(
    private readonly ledger: Pick<Ledger, "auditLog">,
    private readonly filter: Pick<AuditQuery, "subjects" | "action" | "changes">,
    shown: readonly AuditRecord[],
    private readonly nowMs: () => number,
  ) {
    const all = shown.toSorted((a, b) => a.seq - b.seq);
    this.seen = new SeenEntries((all[0]?.seq ?? 1) - 1).after(all, () => true, nowMs());
    for (const record of shown) this.note(record);
  }

  /** What has happened since the last call, oldest first. */
  async news(): Promise<AuditRecord[]> {
    const least = Math.min(this.seen.upTo, ...[...this.open].map((seq) => seq - 1));
    const fresh: AuditRecord[] = [];
    let before: number | undefined;
    do {
      const page = await this.ledger.auditLog({ ...this.filter, limit: PAGE, before });
      const own = page.records.filter(({ seq }) => seq > least);
      fresh.push(...own);
      before = own.length === page.records.length ? page.next : undefined;
    } while (before !== undefined && before > least);
    const all = fresh.toReversed();
    const told = all.filter(
      ({ seq, result }) => !this.seen.has(seq) || (this.open.has(seq) && result !== undefined),
    );
    for (const record of told) this.note(record);
    this.seen = this.seen.after(all, () => true, this.nowMs());
    return told;
  }

  private note({ seq, result }: AuditRecord): void {
    if (result) this.open.delete(seq);
    else this.open.add(seq);
    if (this.open.size > MAX_OPEN) this.open.delete(Math.min(...this.open));
  }
}
