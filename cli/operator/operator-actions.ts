// What operators changed, from the audit, for the timeline: each entry once, by its number.
import { plain } from "../../core/domain/plain.ts";
import type { TimelineEvent } from "../../core/domain/timeline.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import type { AuditRecord } from "../../ledger/audit-log.ts";
import type { Ledger } from "../../ledger/contract.ts";

/** In one round; of more only the newest are taken. */
const AT_ONCE = 100;
/** Reads that an earlier release has entered, by the last word of an action. */
const READS = /\.(list|log|show|verify)$/;
/** How long an action may go on before it is shown without a result. */
const UNENDED_MS = 30_000;

export class OperatorActions {
  private last: number | undefined;

  constructor(
    private readonly ledger: Pick<Ledger, "auditLog">,
    private readonly nowMs: () => number,
  ) {}

  /** The number on record; undefined or empty: none, so it begins with what comes from now on. */
  from(text: string | undefined): void {
    if (text) this.last = Number(text);
  }

  async since(): Promise<{ readonly events: TimelineEvent[]; readonly seq: number | undefined }> {
    const { records } = await this.ledger.auditLog({ limit: AT_ONCE, changes: true });
    const newest = records[0]?.seq ?? 0;
    const last = this.last;
    if (last === undefined) return { events: [], seq: newest };
    const fresh = records.filter((r) => r.seq > last).toReversed();
    const open = fresh.findIndex((r) => !r.result && this.nowMs() - r.atMs < UNENDED_MS);
    const ended = open < 0 ? fresh : fresh.slice(0, open);
    const events = ended.filter((r) => isChange(r)).map(eventOf);
    return { events, seq: ended.at(-1)?.seq ?? last };
  }

  written(seq: number | undefined): void {
    if (seq !== undefined) this.last = seq;
  }
}

/** A change that was made, or whose result nobody knows. */
function isChange({ action, result }: AuditRecord): boolean {
  return !READS.test(action) && (!result || result.status < 400);
}

function eventOf({ atMs, subject, action, target, result }: AuditRecord): TimelineEvent {
  const who = plain(subjectOf(subject));
  const what = `${who}: ${action}${target === "" ? "" : ` ${target}`}`;
  const end = result ? "" : " (its result is unknown)";
  return { atMs, kind: "operator", subject: who, what: `${what}${end}` };
}
