// What happened in the last day, and the figures of its minutes. One gateway at a time writes them,
// the holder of a lease, in one transaction with the state that its events lead to. So each change
// is on record once, whichever gateway noticed it, and a new holder continues from the state
// (docs/decisions/0029-timeline.md).
import type {
  HistoryMinute,
  TimelineEntry,
  TimelineEvent,
  TimelineKind,
} from "../core/domain/timeline.ts";
import { type Db, insertRows, type Runner } from "./db.ts";
import {
  KEPT_MS,
  MAX_ENTRIES,
  MAX_MINUTES,
  type TimelineAddition,
  type TimelineKept,
  type TimelineQuery,
} from "./timeline-contract.ts";
import { NOW } from "./webhooks.ts";

const EVENT = ["at_ms", "kind", "subject", "what"];
/** Characters kept: a name has at most 255, a sentence rarely 200. */
const MAX_SUBJECT = 300;
const MAX_WHAT = 500;
/** A minute with the units of many sales is kept without them. */
const MAX_FIGURES = 4_000;

export async function keepTimeline(db: Db, addition: TimelineAddition): Promise<TimelineKept> {
  const now = NOW[db.dialect];
  const { holder, leaseMs, state } = addition;
  return db.transaction(async (tx) => {
    const [mine] = await tx.run(
      `UPDATE timeline_writer SET until_ms = ${now} + ?, written_ms = ${now},
         state = CASE WHEN ? = '' THEN state ELSE ? END
       WHERE holder = ? RETURNING state, written_ms`,
      [leaseMs, state ?? "", state ?? "", holder],
    );
    if (mine) {
      await add(tx, addition, Number(mine.written_ms));
      return kept("held", mine);
    }
    const [taken] = await tx.run(
      `UPDATE timeline_writer SET holder = ?, until_ms = ${now} + ?
       WHERE until_ms <= ${now} RETURNING state, written_ms`,
      [holder, leaseMs],
    );
    if (taken) return kept("taken", taken);
    const [other] = await tx.run("SELECT state, written_ms FROM timeline_writer");
    return kept("elsewhere", other ?? {});
  });
}

function kept(lease: TimelineKept["lease"], row: Record<string, unknown>): TimelineKept {
  return { lease, state: String(row.state ?? ""), writtenMs: Number(row.written_ms ?? 0) };
}

async function add(
  tx: Runner,
  { events, minutes }: TimelineAddition,
  nowMs: number,
): Promise<void> {
  if (events.length > 0) await insertRows(tx, "timeline", EVENT, events.flatMap(columnsOf));
  for (const minute of minutes)
    await tx.run(
      `INSERT INTO timeline_minutes (at_ms, figures) VALUES (?, ?)
       ON CONFLICT (at_ms) DO NOTHING`,
      [minute.atMs, figuresText(minute)],
    );
  if (events.length > 0 || minutes.length > 0) await forget(tx, nowMs);
}

function columnsOf({ atMs, kind, subject, what }: TimelineEvent) {
  return [Math.round(atMs), kind, subject.slice(0, MAX_SUBJECT), what.slice(0, MAX_WHAT)];
}

function figuresText(minute: HistoryMinute): string {
  const text = JSON.stringify(minute);
  if (text.length <= MAX_FIGURES) return text;
  return JSON.stringify({ ...minute, unitsLeft: null });
}

/** The newest entry stays, so that numbers are never given twice. */
async function forget(tx: Runner, nowMs: number): Promise<void> {
  const [last] = await tx.run("SELECT COALESCE(MAX(seq), 0) AS seq FROM timeline");
  await tx.run("DELETE FROM timeline WHERE (at_ms < ? OR seq <= ?) AND seq < ?", [
    ...[nowMs - KEPT_MS, Number(last?.seq) - MAX_ENTRIES, Number(last?.seq)],
  ]);
  await tx.run("DELETE FROM timeline_minutes WHERE at_ms < ?", [nowMs - KEPT_MS]);
}

export async function timeline(db: Db, query: TimelineQuery): Promise<TimelineEntry[]> {
  const { limit, after, before = Number.MAX_SAFE_INTEGER } = query;
  const rows = await db.run(
    after === undefined
      ? `SELECT seq, at_ms, kind, subject, what FROM timeline WHERE seq < ?
         ORDER BY seq DESC LIMIT ?`
      : `SELECT seq, at_ms, kind, subject, what FROM timeline WHERE seq > ?
         ORDER BY seq LIMIT ?`,
    [after ?? before, limit],
  );
  return rows.map((r) => ({
    seq: Number(r.seq),
    atMs: Number(r.at_ms),
    kind: String(r.kind) as TimelineKind,
    subject: String(r.subject),
    what: String(r.what),
  }));
}

export async function history(db: Db, sinceMs: number): Promise<HistoryMinute[]> {
  const rows = await db.run(
    `SELECT figures FROM (SELECT at_ms, figures FROM timeline_minutes WHERE at_ms >= ?
       ORDER BY at_ms DESC LIMIT ?) AS newest ORDER BY at_ms`,
    [sinceMs, MAX_MINUTES],
  );
  return rows.map(({ figures }) => JSON.parse(String(figures)) as HistoryMinute);
}
