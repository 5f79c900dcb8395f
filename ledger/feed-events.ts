// The events of recorded entries, in their order: first the decisions of an entry, from the texts
// of its messages, then what happened to orders, from the table of events.

import { isOrderStep, type OrderStep, parseOutcome, type Released } from "../core/domain/entry.ts";
import { readReleased, readSteps } from "../core/domain/entry-text.ts";
import { type FeedEvent, feedTypeOf } from "../core/domain/feed-event.ts";
import { idAt, lineStarts, placedAt, readMessage, userAt } from "../core/domain/message.ts";
import type { Order } from "../core/domain/order.ts";
import type { Db } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { PLACE, placedOrders, placeOf } from "./placed-order.ts";
import { bucketOf, messageId } from "./places.ts";

export interface EntryPlace {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
  readonly atMs: number;
}

export interface FeedEntry extends EntryPlace {
  readonly events: readonly FeedEvent[];
}

/** An event, before the order's amount is known. */
type Draft = Omit<FeedEvent, "amount">;

/** What an entry's texts say of one of its orders. */
interface Told {
  readonly user: string;
  readonly id: string;
  readonly released?: Released;
  readonly steps: OrderStep[];
}

interface EntryTexts {
  readonly decided: Draft[];
  /** By `user id`: orders that the entry changed after their first outcome. */
  readonly changed: Map<string, Told>;
}

/** Result i belongs to place i. Reads the entries' texts into memory. */
export async function eventsOf(db: Db, places: readonly EntryPlace[]): Promise<FeedEntry[]> {
  const texts = await textsOf(db, places);
  const drafts = places.map((place) => [...(texts.get(keyOf(place))?.decided ?? [])]);
  const index = new Map(places.map((place, i) => [keyOf(place), i]));
  for (const row of await changesOf(db, places, texts)) {
    const i = index.get(`${row.shard} ${row.n}`) as number;
    const place = places[i] as EntryPlace;
    const told = texts.get(keyOf(place))?.changed.get(`${row.usr} ${row.id}`);
    const type = feedTypeOf(String(row.event));
    if (type && told) drafts[i]?.push(changeOf(place, told, type, row));
  }
  await addSales(db, drafts.flat());
  const bills = await billsOf(db, drafts.flat());
  return places.map((place, i) => ({
    ...place,
    events: (drafts[i] ?? []).map((draft) => ({ ...draft, ...bills.get(billKey(draft)) })),
  }));
}

const keyOf = ({ shard, n }: { shard: number; n: number }) => `${shard} ${n}`;

async function textsOf(
  db: Db,
  places: readonly EntryPlace[],
): Promise<ReadonlyMap<string, EntryTexts>> {
  const texts = new Map<string, EntryTexts>();
  const from = rowsFrom(db.dialect);
  const rows = places.map(({ shard, n }) => [
    shard,
    n,
    messageId(shard, n),
    messageId(shard, n + 1),
  ]);
  const entries = `SELECT e.shard, e.n, e.released, e.steps FROM ${from} JOIN entries e
    ON e.shard = ${wholeIn(0)} AND e.n = ${wholeIn(1)}`;
  const messages = `SELECT m.id, m.shard, m.n, m.body, m.outcomes FROM ${from} JOIN messages m
    ON m.id >= ${wholeIn(2)} AND m.id < ${wholeIn(3)} ORDER BY m.id`;
  for (const list of jsonRows(rows)) {
    for (const r of await db.run(entries, [list])) {
      const changed = new Map<string, Told>();
      for (const released of readReleased(String(r.released)))
        tell(changed, released.order, released);
      for (const step of readSteps(String(r.steps)))
        if (isOrderStep(step)) tell(changed, step).steps.push(step);
      texts.set(`${r.shard} ${r.n}`, { decided: [], changed });
    }
    for (const r of await db.run(messages, [list])) {
      const place = places.find(({ shard, n }) => shard === Number(r.shard) && n === Number(r.n));
      const text = texts.get(`${r.shard} ${r.n}`);
      if (place && text) readRows(text, place, Number(r.id) - messageId(place.shard, place.n), r);
    }
  }
  return texts;
}

function tell(
  changed: Map<string, Told>,
  { user, id }: Pick<Order, "user" | "id">,
  released?: Released,
): Told {
  const key = `${user} ${id}`;
  const known = changed.get(key);
  if (known) return known;
  const told = { user, id, steps: [], ...(released ? { released } : {}) };
  changed.set(key, told);
  return told;
}

/** Rows with a first outcome are decisions; a late answer may have changed an order. */
function readRows(
  { decided, changed }: EntryTexts,
  place: EntryPlace,
  message: number,
  { body, outcomes }: Record<string, unknown>,
): void {
  const rows = readMessage(String(body));
  const starts = lineStarts(rows);
  String(outcomes)
    .split(",")
    .forEach((word, i) => {
      const outcome = parseOutcome(word);
      if (outcome.kind === "step" && outcome.word === "late")
        tell(changed, { user: userAt(rows, i), id: idAt(rows, i) });
      if (outcome.kind !== "fresh") return;
      const type = feedTypeOf(outcome.state);
      if (!type) return;
      const { user, id, saleId, lines, currency } = placedAt(rows, i, starts).order;
      decided.push({
        id: `${place.id}-${message}-${i}`,
        ...{ type, atMs: place.atMs, shard: place.shard, n: place.n, user, orderId: id, saleId },
        ...{ status: outcome.state, generation: 1, lines, currency },
      });
    });
}

/** Rows of `events` that these entries wrote, in their order. */
async function changesOf(
  db: Db,
  places: readonly EntryPlace[],
  texts: ReadonlyMap<string, EntryTexts>,
): Promise<Record<string, unknown>[]> {
  const asked = places.flatMap((place) =>
    [...(texts.get(keyOf(place))?.changed.values() ?? [])].map(({ user, id }) => [
      ...[id, user, place.shard, place.n],
    ]),
  );
  const text = `SELECT v.seq, v.usr, v.id, v.event, v.detail, v.shard, v.n
    FROM ${rowsFrom(db.dialect)} JOIN events v ON v.id = ${textIn(0)} AND v.usr = ${textIn(1)}
    AND v.shard = ${wholeIn(2)} AND v.n = ${wholeIn(3)}`;
  const found: Record<string, unknown>[] = [];
  for (const list of jsonRows(asked)) found.push(...(await db.run(text, [list])));
  return found.sort((a, b) => Number(a.seq) - Number(b.seq));
}

function changeOf(
  place: EntryPlace,
  { user, id, released, steps }: Told,
  type: FeedEvent["type"],
  { seq, event, detail }: Record<string, unknown>,
): Draft {
  const status = String(event);
  const step = steps.find(
    ({ what, detail: state }) => what === status || (what === "redriven" && state === status),
  );
  const order = released?.order;
  const decided = type === "order.decided" ? (step ?? order) : undefined;
  const currency = type === "order.decided" ? order?.currency : undefined;
  return {
    id: `${place.id}-${seq}`,
    ...{ type, atMs: place.atMs, shard: place.shard, n: place.n, user, orderId: id, status },
    saleId: step?.saleId ?? order?.saleId ?? "",
    generation: step?.generation ?? generationIn(String(detail)) ?? 1,
    ...(decided ? { lines: decided.lines } : {}),
    ...(currency === undefined ? {} : { currency }),
  };
}

/** Events about a charge name its generation. */
function generationIn(detail: string): number | undefined {
  return detail === "" ? undefined : (JSON.parse(detail) as { generation?: number }).generation;
}

/** Late answers do not name the sale: the order does. */
async function addSales(db: Db, drafts: readonly Draft[]): Promise<void> {
  const without = drafts.filter(({ saleId }) => saleId === "") as (Draft & { saleId: string })[];
  const text = `SELECT o.usr, o.id, ${PLACE} FROM ${rowsFrom(db.dialect)} JOIN orders o
    ON o.bucket = ${wholeIn(0)} AND o.id = ${textIn(1)} AND o.usr = ${textIn(2)}`;
  const keys = without.map(({ shard, user, orderId }) => [bucketOf(user, shard), orderId, user]);
  for (const list of jsonRows(keys)) {
    const rows = await db.run(text, [list]);
    const placed = await placedOrders(db, rows.map(placeOf));
    const sales = new Map(rows.map((r, i) => [`${r.usr} ${r.id}`, placed[i]?.order.saleId ?? ""]));
    for (const draft of without)
      draft.saleId = sales.get(`${draft.user} ${draft.orderId}`) ?? draft.saleId;
  }
}

const billKey = ({ user, orderId, generation }: Draft) => `${user} ${orderId} ${generation}`;
/** Outcomes that cost nothing need no look-up: in a rush most orders are sold out. */
const FREE: ReadonlySet<string> = new Set([
  ...["sold_out", "over_limit", "over_max_total", "sale_closed", "unknown_item"],
  ...["fx_unavailable", "superseded", "stale", "rejected"],
]);

/** By order and generation: what is charged, which no later attempt changes. */
async function billsOf(
  db: Db,
  drafts: readonly Draft[],
): Promise<ReadonlyMap<string, { readonly amount: number; readonly currency: string }>> {
  const asked = drafts.filter(({ status }) => !FREE.has(status));
  const text = `SELECT DISTINCT c.usr, c.id, c.generation, c.amount, c.currency
    FROM ${rowsFrom(db.dialect)} JOIN charges c ON c.id = ${textIn(0)} AND c.usr = ${textIn(1)}
    AND c.generation = ${wholeIn(2)}`;
  const bills = new Map<string, { amount: number; currency: string }>();
  const keys = asked.map(({ orderId, user, generation }) => [orderId, user, generation]);
  for (const list of jsonRows(keys))
    for (const r of await db.run(text, [list]))
      bills.set(`${r.usr} ${r.id} ${r.generation}`, {
        amount: Number(r.amount),
        currency: String(r.currency),
      });
  return bills;
}
