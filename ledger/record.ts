// ④ record: one transaction for the entries of all shards that are ready. It accepts an entry only from the shard's owner (epoch) and only
// if it follows the last one recorded (chain), and moves stock under checks that none falls below zero: so even a wrong Redis cannot oversell.
import type { Entry } from "../core/domain/entry.ts";
import type { EntryToRecord, RecordResult } from "./contract.ts";
import { type Db, insertRows, isConstraint, type Runner } from "./db.ts";
import { writeParts } from "./parts.ts";
import { Prices } from "./prices.ts";
import {
  addEntry,
  addRequests,
  Contradiction,
  emptySheet,
  type Sheet,
  Unreadable,
} from "./sheet.ts";
import { recordLateAnswers, recordSteps } from "./steps.ts";

/** Result i belongs to entry i. */
export async function record(db: Db, entries: readonly EntryToRecord[]): Promise<RecordResult[]> {
  try {
    return await recordTogether(db, entries);
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // An entry contradicts the ledger. One transaction each shows which, and lets the other shards' through.
  const results: RecordResult[] = [];
  const stopped = new Map<number, RecordResult>();
  for (const given of entries) {
    const { shard } = given.entry;
    const result = stopped.get(shard) ?? (await recordAlone(db, given));
    if (result !== "recorded" && result !== "fenced") stopped.set(shard, result);
    results.push(result);
  }
  return results;
}

async function recordAlone(db: Db, given: EntryToRecord): Promise<RecordResult> {
  try {
    return (await recordTogether(db, [given]))[0] as RecordResult;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return "refused";
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Unreadable || error instanceof Contradiction || isConstraint(error);
}

interface Position {
  epoch: number;
  lastId: string;
  lastN: number;
  moved: boolean;
  refused?: RecordResult;
}

async function recordTogether(db: Db, entries: readonly EntryToRecord[]): Promise<RecordResult[]> {
  return db.transaction(async (tx) => {
    const positions = await lockPositions(db, tx, entries);
    const known = await onRecord(tx, positions, entries);
    const accepted: Entry[] = [];
    const epochs: number[] = [];
    const results = entries.map(({ entry, epoch }) => {
      const position = positionIn(positions, entry);
      // Recorded before, by a commit whose answer was lost: whoever owns the shard now, its effect
      // is in the ledger.
      if (position.refused === undefined && known.has(entry.id)) return "recorded";
      const result = judge(position, entry, epoch);
      if (result === "recorded") {
        accepted.push(entry);
        epochs.push(epoch);
      }
      return result;
    });
    await write(db, tx, accepted, epochs);
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
 * Of entries up to their shard's last number, the ids that stand in the ledger at that number. In
 * all but the rare doubt there is none to ask for.
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
 * Accepts an entry that follows the last one. After a fork the shard's later entries are refused
 * alike; a former owner's entry is no word against the present one's.
 */
function judge(position: Position, entry: Entry, epoch: number): RecordResult {
  if (position.epoch !== epoch) return "fenced";
  if (
    position.refused === undefined &&
    (entry.prev !== position.lastId || entry.n !== position.lastN + 1)
  )
    position.refused = "fork";
  if (position.refused !== undefined) return position.refused;
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
    `SELECT shard, epoch, last_id, last_n FROM shards WHERE shard IN (${shards.map(() => "?").join(",")}) ORDER BY shard${lock}`,
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
      } satisfies Position,
    ]),
  );
}

async function write(
  db: Db,
  tx: Runner,
  entries: readonly Entry[],
  epochs: readonly number[],
): Promise<void> {
  if (entries.length === 0) return;
  const prices = PRICES.get(db) ?? new Prices();
  PRICES.set(db, prices);
  let sheet = gather(prices, entries, epochs);
  if (await prices.load(tx)) sheet = gather(prices, entries, epochs);
  await insertRows(
    tx,
    "entries",
    ["shard", "n", "id", "prev", "kind", "at_ms", "epoch", "released", "steps"],
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
  for (const entry of entries) {
    await recordSteps(tx, sheet, entry);
    await recordLateAnswers(tx, sheet, entry);
  }
  for (const [state, bucket, id, user] of sheet.moved) {
    await tx.run("UPDATE orders SET state = ? WHERE bucket = ? AND id = ? AND usr = ?", [
      state,
      bucket,
      id,
      user,
    ]);
  }
  addRequests(sheet);
  await insertRows(
    tx,
    "events",
    ["usr", "id", "at_ms", "event", "detail", "shard", "n"],
    sheet.events,
  );
  await insertRows(tx, "movements", ["cause", "sale", "sku", "account", "units"], sheet.movements);
  await writeParts(tx, sheet);
  await insertRows(tx, "postings", ["cause", "currency", "account", "amount"], sheet.postings);
  await insertRows(
    tx,
    "follow_ups",
    ["shard", "exchange", "routing_key", "body", "done"],
    sheet.followUps,
  );
  await moveStock(tx, sheet.stock);
}

const CHARGES = [
  ...["usr", "id", "generation", "attempt", "amount", "currency", "payment", "status"],
  ...["detail", "metadata", "rate_id", "rate", "trace"],
];

const PRICES = new WeakMap<Db, Prices>();

function gather(prices: Prices, entries: readonly Entry[], epochs: readonly number[]): Sheet {
  const sheet = emptySheet(prices);
  for (let i = 0; i < entries.length; i++)
    addEntry(sheet, entries[i] as Entry, epochs[i] as number);
  return sheet;
}

/** Moves the units, items in sorted order so that two writers cannot wait for each other. The table's checks refuse what is not there. */
async function moveStock(tx: Runner, stock: Sheet["stock"]): Promise<void> {
  for (const key of [...stock.keys()].sort()) {
    const [sale = "", sku = ""] = key.split(" ");
    const { available = 0, held = 0, sold = 0 } = stock.get(key) ?? {};
    const rows = await tx.run(
      "UPDATE items SET available = available + ?, held = held + ?, sold = sold + ? WHERE sale = ? AND sku = ? RETURNING sku",
      [available, held, sold, sale, sku],
    );
    if (rows.length !== 1)
      throw Object.assign(new Error(`no item ${sku} in sale ${sale}: constraint failed`), {
        code: "SQLITE_CONSTRAINT",
      });
  }
}
