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
import {
  type Db,
  type Dialect,
  insertRows,
  isConstraint,
  type Runner,
  together,
  type Value,
} from "./db.ts";
import { guard } from "./fence.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { moveOrders } from "./moves.ts";
import { recordLateAnswers } from "./obligations.ts";
import { prepareParts, writeParts } from "./parts.ts";
import { recordPutOffs } from "./parts-again.ts";
import { Prices } from "./prices.ts";
import { Contradiction, Unreadable } from "./refusals.ts";
import { addRequests, emptySheet, followUp, type Sheet } from "./sheet.ts";
import { addEntry } from "./sheet-entry.ts";
import {
  CHARGES,
  ENTRIES,
  EVENTS,
  FOLLOW_UPS,
  MESSAGES,
  MOVEMENTS,
  ORDERS,
  POSTINGS,
} from "./sheet-rows.ts";
import { chargesIn, recordSteps } from "./steps.ts";
import { moveStock } from "./stock-moves.ts";
import { salesOfTaken } from "./taken-back.ts";

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
  /** The catalogue's version. */
  readonly catalogue: number;
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
    const prices = pricesFor(db, Math.max(...[...positions.values()].map((p) => p.catalogue)));
    const sent = await write(db, tx, prices, { entries: accepted, epochs }, new Set(older), add);
    await together([...sent, advance(db.dialect, tx, positions)]);
    return results;
  });
}

async function advance(
  dialect: Dialect,
  tx: Runner,
  positions: ReadonlyMap<number, Position>,
): Promise<void> {
  const moved = [...positions].flatMap(([shard, { moved, lastId, lastN }]): Value[][] =>
    moved ? [[shard, lastId, lastN]] : [],
  );
  const text = `UPDATE shards SET last_id = ${textIn(1)}, last_n = ${wholeIn(2)}
    FROM ${rowsFrom(dialect)} WHERE shards.shard = ${wholeIn(0)}`;
  await together([...jsonRows(moved)].map((list) => tx.run(text, [list])));
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
    `SELECT shard, epoch, last_id, last_n, fenced_n,
       (SELECT COALESCE(MAX(id), 0) FROM operations) AS catalogue FROM shards
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
        catalogue: Number(r.catalogue),
        older: Number(r.fenced_n) > 0,
      } satisfies Position,
    ]),
  );
}

/** Returns the statements whose answers are still to come. */
async function write(
  db: Db,
  tx: Runner,
  prices: Prices,
  { entries, epochs }: { readonly entries: readonly Entry[]; readonly epochs: readonly number[] },
  older: ReadonlySet<number>,
  add: (sheet: Sheet) => void,
): Promise<Promise<unknown>[]> {
  if (entries.length === 0) return [];
  const atMs = db.runtime.wallMs();
  let sheet = gather(prices, atMs, entries, epochs);
  if (await prices.load(tx)) sheet = gather(prices, atMs, entries, epochs);
  const decided = insertDecided(tx, sheet);
  if (
    sheet.moved.length > 0 ||
    sheet.late.size > 0 ||
    entries.some(({ steps }) => steps.length > 0)
  ) {
    await together(decided.splice(0)); // what follows reads what these wrote
    await change(db, tx, sheet, entries);
  }
  addRequests(sheet);
  add(sheet);
  return [
    ...decided,
    ...insertEffects(db.dialect, tx, sheet),
    guard(db.dialect, tx, sheet.fence, older),
  ];
}

function insertDecided(tx: Runner, sheet: Sheet): Promise<unknown>[] {
  return [
    // The many first: in Postgres they are alone on the connection, and nothing waits before them.
    insertRows(tx, "orders", ORDERS, [...sheet.orders.values()].flat()),
    insertRows(tx, "charges", CHARGES, sheet.charges),
    insertRows(tx, "movements", MOVEMENTS, sheet.movements),
    insertRows(tx, "entries", ENTRIES, sheet.entries),
    insertRows(tx, "messages", MESSAGES, sheet.messages),
  ];
}

/** Applies what happened to earlier orders, by what the ledger says of them. */
async function change(db: Db, tx: Runner, sheet: Sheet, entries: readonly Entry[]): Promise<void> {
  const attempts = await Attempts.read(db.dialect, tx, chargesIn(sheet, entries));
  await prepareParts(tx, sheet, entries);
  sheet.takenFrom = await salesOfTaken(tx, sheet, entries);
  for (const entry of entries) {
    recordSteps(attempts, sheet, entry);
    recordLateAnswers(attempts, sheet, entry);
  }
  await attempts.write(tx);
  await moveOrders(db.dialect, tx, sheet.moved);
  await writeParts(tx, sheet);
  for (const entry of entries) await recordPutOffs(tx, sheet, entry);
}

function insertEffects(dialect: Dialect, tx: Runner, sheet: Sheet): Promise<unknown>[] {
  return [
    insertRows(tx, "events", EVENTS, sheet.events),
    insertRows(tx, "postings", POSTINGS, sheet.postings),
    insertRows(tx, "follow_ups", FOLLOW_UPS, sheet.followUps),
    moveStock(dialect, tx, sheet.stock),
  ];
}

const PRICES = new WeakMap<Db, Prices>();

/** What is cached of the catalogue holds for one version of it. */
function pricesFor(db: Db, version: number): Prices {
  const known = PRICES.get(db);
  if (known?.version === version) return known;
  const prices = new Prices(version);
  PRICES.set(db, prices);
  return prices;
}

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
