// ④ record: one transaction for the entries of all shards that are ready. It accepts an entry only from the shard's owner (epoch) and only
// if it follows the last one recorded (chain), and moves stock under checks that none falls below zero: so even a wrong Redis cannot oversell.
import type { Entry } from "../core/domain/entry.ts";
import { parseOutcome } from "../core/domain/entry.ts";
import type { OrderRow } from "../core/domain/order.ts";
import type { EntryToRecord, RecordResult } from "./contract.ts";
import { type Db, insertRows, isConstraint, type Runner, type Value } from "./db.ts";
import { bucketOf, messageId } from "./places.ts";

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
    if (result !== "recorded") stopped.set(shard, result);
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

/** An entry whose text makes no sense. Were it taken for trouble with the database, it would be tried for ever and hold up every shard. */
class Unreadable extends Error {}

function isRefusal(error: unknown): boolean {
  return error instanceof Unreadable || isConstraint(error);
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
    const accepted: Entry[] = [];
    const epochs: number[] = [];
    const results = entries.map(({ entry, epoch }) => {
      const position = positions.get(entry.shard);
      if (!position) throw new Error(`the ledger has no shard ${entry.shard}`);
      const result = judge(position, entry, epoch);
      if (result === "recorded") {
        accepted.push(entry);
        epochs.push(epoch);
      }
      return result;
    });
    await write(tx, accepted, epochs);
    for (const [shard, p] of positions) {
      if (p.moved) await tx.run("UPDATE shards SET last_id = ?, last_n = ? WHERE shard = ?", [p.lastId, p.lastN, shard]);
    }
    return results;
  });
}

/** Accepts an entry that follows the last one; after one refusal the shard's later entries are refused alike. */
function judge(position: Position, entry: Entry, epoch: number): RecordResult {
  if (position.refused === undefined) {
    if (position.epoch !== epoch) position.refused = "fenced";
    else if (entry.prev !== position.lastId || entry.n !== position.lastN + 1) position.refused = "fork";
  }
  if (position.refused !== undefined) return position.refused;
  position.lastId = entry.id;
  position.lastN = entry.n;
  position.moved = true;
  return "recorded";
}

async function lockPositions(db: Db, tx: Runner, entries: readonly EntryToRecord[]): Promise<Map<number, Position>> {
  const shards = [...new Set(entries.map((e) => e.entry.shard))].sort((a, b) => a - b);
  const lock = db.dialect === "postgres" ? " FOR UPDATE" : "";
  const rows = await tx.run(
    `SELECT shard, epoch, last_id, last_n FROM shards WHERE shard IN (${shards.map(() => "?").join(",")}) ORDER BY shard${lock}`,
    shards,
  );
  return new Map(
    rows.map((r) => [
      Number(r.shard),
      { epoch: Number(r.epoch), lastId: String(r.last_id), lastN: Number(r.last_n), moved: false } satisfies Position,
    ]),
  );
}

/** Rows for each table, gathered over all entries and written with one statement per 500 rows. */
interface Sheet {
  readonly entries: Value[];
  readonly messages: Value[];
  readonly orders: Value[];
  readonly events: Value[];
  readonly movements: Value[];
  readonly followUps: Value[];
  /** Released orders: [state, bucket, id, user]. */
  readonly moved: [string, number, string, string][];
  /** Units held, by `sale sku`. */
  readonly held: Map<string, number>;
}

async function write(tx: Runner, entries: readonly Entry[], epochs: readonly number[]): Promise<void> {
  if (entries.length === 0) return;
  const sheet: Sheet = { entries: [], messages: [], orders: [], events: [], movements: [], followUps: [], moved: [], held: new Map() };
  for (let i = 0; i < entries.length; i++) addEntry(sheet, entries[i] as Entry, epochs[i] as number);
  await insertRows(tx, "entries", ["shard", "n", "id", "prev", "kind", "at_ms", "epoch", "released"], sheet.entries);
  await insertRows(tx, "messages", ["id", "shard", "n", "gateway", "batch", "body", "outcomes"], sheet.messages);
  await insertRows(tx, "orders", ["bucket", "id", "usr", "state", "message", "idx"], sheet.orders);
  for (const [state, bucket, id, user] of sheet.moved) {
    await tx.run("UPDATE orders SET state = ? WHERE bucket = ? AND id = ? AND usr = ?", [state, bucket, id, user]);
  }
  await insertRows(tx, "events", ["usr", "id", "at_ms", "event", "detail", "shard", "n"], sheet.events);
  await insertRows(tx, "movements", ["cause", "sale", "sku", "account", "units"], sheet.movements);
  await insertRows(tx, "follow_ups", ["shard", "exchange", "routing_key", "body", "done"], sheet.followUps);
  await holdStock(tx, sheet.held);
}

function addEntry(sheet: Sheet, entry: Entry, epoch: number): void {
  const { shard, n } = entry;
  sheet.entries.push(shard, n, entry.id, entry.prev, entry.kind, entry.atMs, epoch, JSON.stringify(entry.released));
  const held = new Map<string, number>();
  for (let m = 0; m < entry.messages.length; m++) {
    const message = entry.messages[m] as Entry["messages"][number];
    const id = messageId(shard, n) + m;
    sheet.messages.push(id, shard, n, message.gateway, message.batch, message.body, message.outcomes);
    addRows(sheet, entry, id, message, held);
  }
  for (const [, row, state] of entry.released) {
    sheet.moved.push([state, bucketOf(row[1], shard), row[2], row[1]]);
    sheet.events.push(row[1], row[2], entry.atMs, state, "", shard, n);
    if (state === "reserved") hold(held, row);
  }
  for (const [key, units] of held) {
    const [sale = "", sku = ""] = key.split(" ");
    const cause = `entry ${shard}-${n}`;
    sheet.movements.push(cause, sale, sku, "available", -units, cause, sale, sku, "held", units);
    sheet.held.set(key, (sheet.held.get(key) ?? 0) + units);
  }
}

function addRows(sheet: Sheet, entry: Entry, messageId: number, message: Entry["messages"][number], held: Map<string, number>): void {
  const words = message.outcomes.split(",");
  const rows = rowsOf(message.body, words.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as OrderRow;
    const outcome = parseOutcome(words[i] as string);
    if (outcome.kind === "fresh") {
      sheet.orders.push(bucketOf(row[1], entry.shard), row[2], row[1], outcome.state, messageId, i);
      if (outcome.state === "reserved") hold(held, row);
      if (outcome.state === "rejected") sheet.followUps.push(entry.shard, "", "orders.dead", deadLetter(entry, row), 0);
    } else if (outcome.kind === "conflict") {
      const detail = JSON.stringify({ fingerprint: row[3], state: outcome.state });
      sheet.events.push(row[1], row[2], entry.atMs, "conflict", detail, entry.shard, entry.n);
    }
  }
}

/** Redis's parser takes texts that this one does not (0x10, NaN): such an entry is no sound one, though Redis wrote it. */
function rowsOf(body: string, count: number): OrderRow[] {
  let rows: unknown;
  try {
    rows = JSON.parse(body);
  } catch (error) {
    throw new Unreadable((error as Error).message);
  }
  if (!Array.isArray(rows) || rows.length !== count) throw new Unreadable(`${count} outcomes do not belong to these rows`);
  return rows as OrderRow[];
}

function hold(held: Map<string, number>, row: OrderRow): void {
  const lines = row[8];
  for (let i = 0; i < lines.length; i += 2) {
    const key = `${row[5]} ${lines[i]}`;
    held.set(key, (held.get(key) ?? 0) + (lines[i + 1] as number));
  }
}

function deadLetter(entry: Entry, row: OrderRow): string {
  return JSON.stringify({ reason: "the order could not be decided", shard: entry.shard, entry: entry.n, row });
}

/** Moves the units, items in sorted order so that two writers cannot wait for each other. The table's checks refuse what is not there. */
async function holdStock(tx: Runner, held: ReadonlyMap<string, number>): Promise<void> {
  for (const key of [...held.keys()].sort()) {
    const [sale = "", sku = ""] = key.split(" ");
    const units = held.get(key) ?? 0;
    const rows = await tx.run("UPDATE items SET available = available - ?, held = held + ? WHERE sale = ? AND sku = ? RETURNING sku", [
      units,
      units,
      sale,
      sku,
    ]);
    if (rows.length !== 1)
      throw Object.assign(new Error(`no item ${sku} in sale ${sale}: constraint failed`), { code: "SQLITE_CONSTRAINT" });
  }
}
