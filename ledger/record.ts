// ④ record: one transaction for the waiting entries of all shards.
//
//   1. An entry is accepted only from the shard's owner (epoch).
//   2. It must follow the last recorded entry (chain), so a lost entry is noticed.
//   3. Stock moves under checks that none falls below zero: even a wrong Redis cannot oversell.

import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { Attempts } from "./attempts.ts";
import type { EntryToRecord, RecordResult } from "./contract.ts";
import { type Db, insertRows, isConstraint, type Runner } from "./db.ts";
import { guard } from "./fence.ts";
import { moveOrders } from "./moves.ts";
import { recordLateAnswers } from "./obligations.ts";
import { prepareParts, writeParts } from "./parts.ts";
import { recordPutOffs } from "./parts-again.ts";
import { Prices } from "./prices.ts";
import {
  addEntry,
  addRequests,
  Contradiction,
  emptySheet,
  FOLLOW_UPS,
  followUp,
  type Sheet,
  Unreadable,
} from "./sheet.ts";
import { chargesIn, recordSteps } from "./steps.ts";

/** Results that do not stop the later entries of the shard. */
const GOES_ON: ReadonlySet<RecordResult> = new Set(["recorded", "unreadable", "fenced"]);

/** Result i belongs to entry i. Rejects if the ledger cannot be reached or written. */
export async function record(db: Db, entries: readonly EntryToRecord[]): Promise<RecordResult[]> {
  try {
    return await recordTogether(db, entries);
  } catch (error) {
    if (!isRefusal(db, error)) throw error;
  }
  // An entry contradicts the ledger. One transaction each shows which, and lets the entries of
  // other shards through.
  const results: RecordResult[] = [];
  const stopped = new Map<number, RecordResult>();
  for (const given of entries) {
    const { shard } = given.entry;
    const result = stopped.get(shard) ?? (await recordAlone(db, given));
    if (!GOES_ON.has(result)) stopped.set(shard, result);
    results.push(result);
  }
  return results;
}

async function recordAlone(db: Db, given: EntryToRecord): Promise<RecordResult> {
  try {
    return at(await recordTogether(db, [given]), 0);
  } catch (error) {
    if (error instanceof Unreadable) return keepUnreadable(db, given, error.message);
    if (!isRefusal(db, error)) throw error;
    return "refused";
  }
}

/**
 * An unreadable entry does not mean that Redis has lost something, so it causes no rebuild. It
 * takes its place in the chain, empty, and its text becomes a dead letter. Its effect in Redis
 * stays until the next rebuild: Redis may hold units back, but sells none twice.
 */
async function keepUnreadable(
  db: Db,
  { entry, epoch }: EntryToRecord,
  why: string,
): Promise<RecordResult> {
  const { shard, n, id, prev, messages, unreadable } = entry;
  const letter = {
    reason: `an entry that cannot be read: ${why}`,
    shard,
    entry: n,
    id,
    text: unreadable ?? messages,
  };
  const empty = { messages: [], released: [], steps: [] };
  const place: Entry = { shard, n, id, prev, kind: "decide", atMs: entry.atMs, ...empty };
  const [result] = await recordTogether(db, [{ entry: place, epoch }], (sheet) => {
    followUp(sheet, shard, "", "orders.dead", JSON.stringify(letter));
  });
  return result === "recorded" ? "unreadable" : (result as RecordResult);
}

function isRefusal(db: Db, error: unknown): boolean {
  return (
    error instanceof Unreadable || error instanceof Contradiction || isConstraint(error, db.dialect)
  );
}

interface Position {
  epoch: number;
  lastId: string;
  lastN: number;
  moved: boolean;
  /** It has entries from before the fence (ledger/fence.ts). */
  readonly older: boolean;
  refused?: RecordResult;
}

async function recordTogether(
  db: Db,
  entries: readonly EntryToRecord[],
  add: (sheet: Sheet) => void = () => undefined,
): Promise<RecordResult[]> {
  return db.transaction(async (tx) => {
    const positions = await lockPositions(db, tx, entries);
    const known = await onRecord(tx, positions, entries);
    const accepted: Entry[] = [];
    const epochs: number[] = [];
    const results = entries.map(({ entry, epoch }) => {
      const position = positionIn(positions, entry);
      // Recorded before, by a commit whose answer was lost. Its effect is in the ledger, even if
      // another worker owns the shard now.
      if (position.refused === undefined && known.has(entry.id)) return "recorded";
      const result = judge(position, entry, epoch);
      if (result === "recorded") {
        accepted.push(entry);
        epochs.push(epoch);
      }
      return result;
    });
    const older = [...positions].flatMap(([shard, p]) => (p.older ? [shard] : []));
    await write(db, tx, accepted, epochs, new Set(older), add);
    for (const [shard, p] of positions) {
      if (p.moved)
        await tx.run("UPDATE shards SET last_id = ?, last_n = ? WHERE shard = ?", [
          p.lastId,
          p.lastN,
          shard,
        ]);
    }
    return results;
  });
}

function positionIn(positions: ReadonlyMap<number, Position>, { shard }: Entry): Position {
  const position = positions.get(shard);
  if (!position) throw new Error(`the ledger has no shard ${shard}`);
  return position;
}

/**
 * Ids of the given entries that are already recorded at their number. Normally none is, and nothing
 * is queried.
 */
async function onRecord(
  tx: Runner,
  positions: ReadonlyMap<number, Position>,
  entries: readonly EntryToRecord[],
): Promise<ReadonlySet<string>> {
  const known = new Set<string>();
  for (const { entry } of entries) {
    if (entry.n > positionIn(positions, entry).lastN) continue;
    const [there] = await tx.run("SELECT id FROM entries WHERE shard = ? AND n = ?", [
      entry.shard,
      entry.n,
    ]);
    if (there?.id === entry.id) known.add(entry.id);
  }
  return known;
}

/**
 * Accepts an entry from the owner (1) that follows the last one (2). A fork stops the later entries
 * of its shard; a former owner's entry does not stop the present one's.
 */
function judge(position: Position, entry: Entry, epoch: number): RecordResult {
  if (position.refused !== undefined) return position.refused;
  if (position.epoch !== epoch) return "fenced";
  if (entry.prev !== position.lastId || entry.n !== position.lastN + 1) {
    position.refused = "fork";
    return "fork";
  }
  position.lastId = entry.id;
  position.lastN = entry.n;
  position.moved = true;
  return "recorded";
}

async function lockPositions(
  db: Db,
  tx: Runner,
  entries: readonly EntryToRecord[],
): Promise<Map<number, Position>> {
  const shards = [...new Set(entries.map((e) => e.entry.shard))].sort((a, b) => a - b);
  const lock = db.dialect === "postgres" ? " FOR UPDATE" : "";
  const rows = await tx.run(
    `SELECT shard, epoch, last_id, last_n, fenced_n FROM shards
     WHERE shard IN (${shards.map(() => "?").join(",")}) ORDER BY shard${lock}`,
    shards,
  );
  return new Map(
    rows.map((r) => [
      Number(r.shard),
      {
        epoch: Number(r.epoch),
        lastId: String(r.last_id),
        lastN: Number(r.last_n),
        moved: false,
        older: Number(r.fenced_n) > 0,
      } satisfies Position,
    ]),
  );
}

async function write(
  db: Db,
  tx: Runner,
  entries: readonly Entry[],
  epochs: readonly number[],
  older: ReadonlySet<number>,
  add: (sheet: Sheet) => void,
): Promise<void> {
  if (entries.length === 0) return;
  const prices = PRICES.get(db) ?? new Prices();
  PRICES.set(db, prices);
  const atMs = db.runtime.wallMs();
  let sheet = gather(prices, atMs, entries, epochs);
  if (await prices.load(tx)) sheet = gather(prices, atMs, entries, epochs);
  await insertRows(
    tx,
    "entries",
    ["shard", "n", "id", "prev", "kind", "at_ms", "epoch", "released", "steps", "recorded_ms"],
    sheet.entries,
  );
  await insertRows(
    tx,
    "messages",
    ["id", "shard", "n", "gateway", "batch", "body", "outcomes"],
    sheet.messages,
  );
  await insertRows(tx, "orders", ["bucket", "id", "usr", "state", "message", "idx"], sheet.orders);
  await insertRows(tx, "charges", CHARGES, sheet.charges);
  const attempts = await Attempts.read(db.dialect, tx, chargesIn(sheet, entries));
  await prepareParts(tx, sheet, entries);
  for (const entry of entries) {
    recordSteps(attempts, sheet, entry);
    recordLateAnswers(attempts, sheet, entry);
  }
  await attempts.write(tx);
  await moveOrders(db.dialect, tx, sheet.moved);
  addRequests(sheet);
  add(sheet);
  await insertRows(
    tx,
    "events",
    ["usr", "id", "at_ms", "event", "detail", "shard", "n"],
    sheet.events,
  );
  await insertRows(tx, "movements", ["cause", "sale", "sku", "account", "units"], sheet.movements);
  await writeParts(tx, sheet);
  for (const entry of entries) await recordPutOffs(db, tx, sheet, entry);
  await insertRows(tx, "postings", ["cause", "currency", "account", "amount"], sheet.postings);
  await insertRows(tx, "follow_ups", FOLLOW_UPS, sheet.followUps);
  await guard(db.dialect, tx, sheet.fence, older);
  await moveStock(tx, sheet.stock);
}

const CHARGES = [
  ...["usr", "id", "generation", "attempt", "amount", "currency", "payment", "status"],
  ...["detail", "metadata", "rate_id", "rate", "trace"],
];

const PRICES = new WeakMap<Db, Prices>();

function gather(
  prices: Prices,
  atMs: number,
  entries: readonly Entry[],
  epochs: readonly number[],
): Sheet {
  const sheet = emptySheet(prices, atMs);
  for (let i = 0; i < entries.length; i++)
    readInto(sheet, entries[i] as Entry, epochs[i] as number);
  return sheet;
}

/** Uses no database: an error here is the entry's fault, and repeating would not help. */
function readInto(sheet: Sheet, entry: Entry, epoch: number): void {
  if (entry.unreadable !== undefined)
    throw new Unreadable("Redis holds text that Sluice did not write");
  try {
    addEntry(sheet, entry, epoch);
  } catch (error) {
    if (error instanceof Contradiction) throw error;
    throw new Unreadable(messageOf(error));
  }
}

/**
 * Moves the units (3), items in sorted order so that two writers cannot deadlock. The table's
 * checks reject units that are not there.
 */
async function moveStock(tx: Runner, stock: Sheet["stock"]): Promise<void> {
  for (const key of [...stock.keys()].sort()) {
    const [sale = "", sku = ""] = key.split(" ");
    const { available = 0, held = 0, sold = 0 } = stock.get(key) ?? {};
    const rows = await tx.run(
      `UPDATE items SET available = available + ?, held = held + ?, sold = sold + ?
       WHERE sale = ? AND sku = ? RETURNING sku`,
      [available, held, sold, sale, sku],
    );
    if (rows.length !== 1) throw new Contradiction(`no item ${sku} in sale ${sale}`);
  }
}
