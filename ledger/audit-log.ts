// The audit log: one row for each call of an operator. A change is entered before it happens, and
// its result is added afterwards. An entry without a result means that its outcome is unknown.
//
//   1. Changes stay for good. Of the calls that change nothing, each takes the place of an old one:
//      otherwise reads alone would fill the ledger.
//   2. Operators' reads and strangers' calls are counted apart, so that strangers displace none of
//      the operators'.
import type { Db, Value } from "./db.ts";

/** What a caller is about to do. */
export interface AuditIntent {
  readonly subject: string;
  /** `sales.restock` */
  readonly action: string;
  readonly target: string;
  /** JSON text. */
  readonly detail: string;
}

export interface AuditResult {
  readonly target: string;
  readonly detail: string;
  /** As of HTTP. */
  readonly status: number;
}

export interface AuditRecord extends AuditIntent {
  readonly seq: number;
  readonly atMs: number;
  /** undefined: no result is on record. */
  readonly result: { readonly status: number; readonly atMs: number } | undefined;
}

export interface AuditQuery {
  readonly limit: number;
  /** Only entries with a lower number. */
  readonly before?: number | undefined;
  /** As recorded: any of these. */
  readonly subjects?: readonly string[] | undefined;
  readonly action?: string | undefined;
  /** Without the calls that change nothing. */
  readonly changes?: boolean;
}

export interface AuditPage {
  /** Newest first. */
  readonly records: readonly AuditRecord[];
  /** Pass it as `before` to read on; undefined: there is nothing older. */
  readonly next: number | undefined;
}

/** Entries that one page looks at: a search for a rare subject reads no more at once. */
const LOOKED_AT = 10_000;

/** Returns the entry's number. */
export async function auditBegin(db: Db, intent: AuditIntent, atMs: number): Promise<number> {
  const { subject, action, target, detail } = intent;
  const [row] = await db.run(
    `INSERT INTO audit (at_ms, subject, action, target, detail, status)
     VALUES (?, ?, ?, ?, ?, 0) RETURNING seq`,
    [atMs, subject, action, target, detail],
  );
  return Number(row?.seq);
}

/** Only the first result counts. */
export async function auditEnd(
  db: Db,
  seq: number,
  { target, detail, status }: AuditResult,
  atMs: number,
): Promise<void> {
  await db.run(
    `UPDATE audit SET target = ?, detail = ?, status = ?, ended_ms = ?
     WHERE seq = ? AND ended_ms = 0`,
    [target, detail, status, atMs, seq],
  );
}

/** A call that changed nothing. */
export interface AuditLook extends AuditIntent {
  readonly status: number;
  readonly atMs: number;
  /** Without an operator's token. */
  readonly stranger?: boolean;
}

/** How many calls that changed nothing are kept, and for how long at most. */
export interface AuditKept {
  readonly reads: number;
  readonly strangers: number;
  readonly forMs: number;
}

/** About 250 bytes each; at most 6 kB. */
const KEPT: AuditKept = { reads: 200_000, strangers: 50_000, forMs: 90 * 86_400_000 };
/** More than the one that comes, so that a lower limit is reached as well. */
const FORGOTTEN_AT_ONCE = 2;
const [READ, STRANGER] = [1, 2];

/** 1 */
export async function audit(db: Db, look: AuditLook, kept = KEPT): Promise<void> {
  const { atMs, subject, action, target, detail, status, stranger = false } = look;
  const [kind, most] = stranger ? [STRANGER, kept.strangers] : [READ, kept.reads]; // 2
  const [row] = await db.run(
    `INSERT INTO audit (at_ms, subject, action, target, detail, status, ended_ms, kind, n)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1 + COALESCE((SELECT MAX(n) FROM audit WHERE kind = ?), 0))
     RETURNING n`,
    [atMs, subject, action, target, detail, status, atMs, kind, kind],
  );
  await db.run(
    `DELETE FROM audit WHERE seq IN (SELECT seq FROM
       (SELECT seq, n, at_ms FROM audit WHERE kind = ? ORDER BY n LIMIT ?) AS oldest
       WHERE n <= ? OR at_ms < ?)`,
    [kind, FORGOTTEN_AT_ONCE, Number(row?.n) - most, atMs - kept.forMs],
  );
}

export async function auditLog(db: Db, query: AuditQuery): Promise<AuditPage> {
  const { limit, subjects, action, changes = false } = query;
  const [last] = await db.run("SELECT COALESCE(MAX(seq), 0) AS seq FROM audit");
  const before = Math.min(query.before ?? Number.MAX_SAFE_INTEGER, Number(last?.seq) + 1);
  const least = Math.max(0, before - LOOKED_AT);
  const values: Value[] = [before, least, ...(subjects ?? []), ...(action ? [action] : [])];
  const any = subjects?.map(() => "?").join(",");
  const only =
    `${any ? ` AND subject IN (${any})` : ""}${action ? " AND action = ?" : ""}` +
    (changes ? " AND kind = 0" : "");
  const rows = await db.run(
    `SELECT seq, at_ms, subject, action, target, detail, status, ended_ms FROM audit
     WHERE seq < ? AND seq >= ?${only} ORDER BY seq DESC LIMIT ?`,
    [...values, limit],
  );
  const records = rows.map(recordOf);
  const reached = records.length === limit ? (records.at(-1)?.seq ?? least) : least;
  return { records, next: reached > 1 ? reached : undefined };
}

function recordOf(r: Record<string, unknown>): AuditRecord {
  const ended = Number(r.ended_ms);
  return {
    seq: Number(r.seq),
    atMs: Number(r.at_ms),
    subject: String(r.subject),
    action: String(r.action),
    target: String(r.target),
    detail: String(r.detail),
    result: ended === 0 ? undefined : { status: Number(r.status), atMs: ended },
  };
}
