// Which entries of the audit a reader has received. In Postgres an entry may commit after one with
// a higher number. So the highest number is not enough: those of the last minute are remembered one
// by one.
import type { AuditRecord } from "../../ledger/audit-log.ts";

/** Longer than any transaction of the ledger stays open. */
const SETTLED_MS = 60_000;

type Entry = Pick<AuditRecord, "seq" | "atMs">;

export class SeenEntries {
  /** All entries up to number `upTo`, and some later ones. */
  constructor(
    readonly upTo: number,
    readonly beyond: ReadonlySet<number> = new Set(),
  ) {}

  has(seq: number): boolean {
    return seq <= this.upTo || this.beyond.has(seq);
  }

  /** `entries`: a page, oldest first; `had`: which of them somebody has now. */
  after(entries: readonly Entry[], had: (seq: number) => boolean, nowMs: number): SeenEntries {
    const isHad = ({ seq }: Entry) => this.has(seq) || had(seq);
    const next = entries.findIndex((e) => !isHad(e) || nowMs - e.atMs < SETTLED_MS);
    const settled = next < 0 ? entries : entries.slice(0, next);
    const upTo = Math.max(this.upTo, settled.at(-1)?.seq ?? 0);
    const beyond = entries.filter((e) => e.seq > upTo && isHad(e)).map(({ seq }) => seq);
    return new SeenEntries(upTo, new Set(beyond));
  }
}
