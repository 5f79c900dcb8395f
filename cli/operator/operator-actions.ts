// What operators changed, from the audit, for the timeline: each entry once, by its number.
import { plain } from "../../core/domain/plain.ts";
import type { TimelineEvent } from "../../core/domain/timeline.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import type { AuditRecord } from "../../ledger/audit-log.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { SeenEntries } from "./seen-entries.ts";

/** In one round; of more only the newest are taken. */
const AT_ONCE = 100;
/** Reads that an earlier release has entered, by the last word of an action. */
const READS = /\.(list|log|show|verify)$/;
/** How long an action may go on before it is shown without a result. */
const UNENDED_MS = 30_000;

/** The state's members that say which entries are on record. */
interface OnRecord {
  /** All up to this number. */
  readonly actions?: string;
  /** Later ones, separated by spaces. */
  readonly actionsBeyond?: string;
}

export class OperatorActions {
  private seen: SeenEntries | undefined;

  constructor(
    private readonly ledger: Pick<Ledger, "auditLog">,
    private readonly nowMs: () => number,
  ) {}

  /** What is on record; without `actions`: nothing, so it begins with what comes from now on. */
  from({ actions, actionsBeyond = "" }: OnRecord): void {
    if (!actions) return;
    const beyond = actionsBeyond.split(" ").filter((text) => text !== "");
    this.seen = new SeenEntries(Number(actions), new Set(beyond.map(Number)));
  }

  /** `state`: what is on record once the events are. */
  async since(): Promise<{ readonly events: TimelineEvent[]; readonly state: OnRecord }> {
    const { records } = await this.ledger.auditLog({ limit: AT_ONCE, changes: true });
    const nowMs = this.nowMs();
    const all = records.toReversed();
    const { seen } = this;
    if (!seen) {
      const before = new SeenEntries((all[0]?.seq ?? 1) - 1);
      return { events: [], state: stateOf(before.after(all, () => true, nowMs)) };
    }
    const fresh = all.filter(({ seq }) => !seen.has(seq));
    const open = fresh.findIndex((r) => !r.result && nowMs - r.atMs < UNENDED_MS);
    const ended = open < 0 ? fresh : fresh.slice(0, open);
    const had = new Set(ended.map(({ seq }) => seq));
    const events = ended.filter((r) => isChange(r)).map(eventOf);
    return { events, state: stateOf(seen.after(all, (seq) => had.has(seq), nowMs)) };
  }
}

function stateOf({ upTo, beyond }: SeenEntries): OnRecord {
  const later = beyond.size > 0 ? { actionsBeyond: [...beyond].join(" ") } : {};
  return { actions: String(upTo), ...later };
}

/** A change that was made, or whose result nobody knows. */
function isChange({ action, result }: AuditRecord): boolean {
  return !READS.test(action) && (!result || result.status < 400);
}

/** Members of an action's detail that say what it changed, and by how much. */
const TOLD = ["sku", "units", "priceMinor", "limitPerUser", "service", "region", "reason"] as const;

/** `, sku lamp, units 5`; the detail is a JSON text that may have been cut. */
function detailWords(detail: string): string {
  const members = objectIn(detail);
  return TOLD.flatMap((name) => {
    const value = members[name];
    const isTold = typeof value === "number" || (typeof value === "string" && value !== "");
    return isTold ? [`, ${name} ${plain(String(value))}`] : [];
  }).join("");
}

function objectIn(text: string): Record<string, unknown> {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function eventOf(record: AuditRecord): TimelineEvent {
  const { atMs, subject, action, target, detail, result } = record;
  const who = plain(subjectOf(subject));
  const what = `${who}: ${action}${target === "" ? "" : ` ${target}`}${detailWords(detail)}`;
  const end = result ? "" : " (its result is unknown)";
  return { atMs, kind: "operator", subject: who, what: `${what}${end}` };
}
