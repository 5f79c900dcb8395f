// What the workers write, on an open database. With SQLite it runs in its own thread (thread.ts).

import { at } from "../core/domain/at.ts";
import { messageOf } from "../core/domain/message-of.ts";
import type { Part } from "../core/domain/part.ts";
import { askAgain } from "./ask-again.ts";
import type {
  ClaimedKey,
  EntryToRecord,
  KeyClaim,
  LapsedRequest,
  Leased,
  LeaseEnd,
  LeaseRequest,
  LedgerWriter,
  RecordedRate,
  RecordResult,
  ReportBegin,
  ReportBegun,
  SettledClaim,
  ShardPosition,
} from "./contract.ts";
import { type Db, LedgerUnavailable } from "./db.ts";
import { jsonRows, rowsFrom, wholeIn } from "./json-rows.ts";
import { claimKeys } from "./order-keys.ts";
import { beginReport, endLease, lapsedParts, leaseParts, settleClaim } from "./part-leases.ts";
import { noteRates } from "./rates.ts";
import { record } from "./record.ts";
import { keepTimeline } from "./timeline.ts";
import type { TimelineAddition, TimelineKept } from "./timeline-contract.ts";

export class DirectWriter implements LedgerWriter {
  constructor(private readonly db: Db) {}

  record(entries: readonly EntryToRecord[]): Promise<RecordResult[]> {
    return reachable(record(this.db, entries));
  }

  takeShard(shard: number, owner: string): Promise<ShardPosition> {
    return reachable(
      this.db.transaction(async (tx) => {
        const rows = await tx.run(
          `UPDATE shards SET epoch = epoch + 1, owner = ? WHERE shard = ?
           RETURNING shard, epoch, last_id, last_n`,
          [owner, shard],
        );
        return positionOf(at(rows, 0));
      }),
    );
  }

  beginRebuild(from: number): ReturnType<LedgerWriter["beginRebuild"]> {
    return reachable(
      this.db.transaction(async (tx) => {
        const raised = await tx.run(
          `UPDATE store SET incarnation = incarnation + 1
           WHERE incarnation = ? AND halted_ms = 0 RETURNING incarnation`,
          [from],
        );
        if (raised.length === 0) return undefined;
        await tx.run("INSERT INTO rebuilds (incarnation, at_ms) VALUES (?, ?)", [
          Number(raised[0]?.incarnation),
          this.db.runtime.wallMs(),
        ]);
        await tx.run("UPDATE shards SET epoch = epoch + 1, owner = ''");
        const rows = await tx.run(
          "SELECT shard, epoch, last_id, last_n FROM shards ORDER BY shard",
        );
        return { incarnation: Number(raised[0]?.incarnation), shards: rows.map(positionOf) };
      }),
    );
  }

  async followUpsDone(ids: readonly number[]): Promise<void> {
    if (ids.length === 0) return;
    const text = `UPDATE follow_ups SET done = 1
      WHERE id IN (SELECT ${wholeIn(0)} FROM ${rowsFrom(this.db.dialect)})`;
    for (const list of jsonRows(ids.map((id) => [id]))) await reachable(this.db.run(text, [list]));
  }

  askAgain(): Promise<number> {
    return reachable(askAgain(this.db));
  }

  claimKeys(claims: readonly KeyClaim[], forgetBeforeMs: number): Promise<ClaimedKey[]> {
    return reachable(claimKeys(this.db, claims, forgetBeforeMs));
  }

  noteRates(rates: readonly RecordedRate[]): Promise<void> {
    return reachable(noteRates(this.db, this.db, rates));
  }

  keepTimeline(addition: TimelineAddition): Promise<TimelineKept> {
    return reachable(keepTimeline(this.db, addition));
  }

  leaseParts(request: LeaseRequest, arrived: readonly Part[]): Promise<Leased> {
    return reachable(leaseParts(this.db, request, arrived));
  }

  settleClaim(settled: SettledClaim): Promise<void> {
    return reachable(settleClaim(this.db, settled));
  }

  beginReport(begin: ReportBegin): Promise<ReportBegun> {
    return reachable(beginReport(this.db, begin));
  }

  endLease(end: LeaseEnd): Promise<void> {
    return reachable(endLease(this.db, end));
  }

  lapsedParts(request: LapsedRequest): ReturnType<LedgerWriter["lapsedParts"]> {
    return reachable(lapsedParts(this.db, request));
  }

  close(): Promise<void> {
    return this.db.close();
  }
}

export function positionOf(row: Record<string, unknown>): ShardPosition {
  return {
    shard: Number(row.shard),
    epoch: Number(row.epoch),
    lastId: String(row.last_id),
    lastN: Number(row.last_n),
  };
}

/**
 * Turns every database error into LedgerUnavailable: rejections of data are results, not errors.
 */
async function reachable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const state = error instanceof LedgerUnavailable ? error.state : undefined;
    throw new LedgerUnavailable(`the ledger: ${messageOf(error)}`, state);
  }
}
