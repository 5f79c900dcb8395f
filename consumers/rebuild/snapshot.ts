// Writes a Replayed as chunks of JSON, and fills one from them again. Orders that are only
// remembered (Replayed.seen) are left out, unless their id is ahead of its time, because a rebuild
// reads the entries of the dedup window anyway.
import type { PlacedOrder } from "../../core/domain/row.ts";
import type { OpenOrder, RateWait, Replayed } from "./replayed.ts";
import type { Parked } from "./turns.ts";

/**
 * Raise it with every change to the chunks or to how Replayed reads the journal. Older snapshots
 * are then ignored.
 */
export const SNAPSHOT_VERSION = 2;

/** Items in a chunk: a few hundred kilobytes. */
const ITEMS_PER_CHUNK = 500;

interface TurnItem {
  readonly saleId: string;
  readonly user: string;
  readonly next: number;
  readonly gapSinceMs: number;
  readonly parked: readonly (readonly [number, Parked])[];
}
interface OpenItem {
  readonly name: string;
  readonly order: Omit<OpenOrder, "parts">;
  readonly parts?: { readonly of: number; readonly held: readonly (readonly [number, string])[] };
}

/** Each section's items. Their order matters where Redis has lists. */
interface Sections {
  readonly turns: readonly TurnItem[];
  readonly bought: readonly (readonly [saleId: string, name: string, units: number])[];
  readonly open: readonly OpenItem[];
  readonly lanes: readonly (readonly [user: string, ids: readonly string[]])[];
  readonly marks: readonly (readonly [user: string, id: string, atMs: number])[];
  readonly waits: readonly RateWait[];
  readonly redriven: readonly (readonly [saleId: string, name: string, generation: number])[];
  readonly seen: readonly (readonly [name: string, record: string])[];
}

/** The chunks of a snapshot. Orders with ids below `firstId` are no longer remembered. */
export function* encode(replayed: Replayed, firstId: string): Generator<string> {
  const sections = sectionsOf(replayed, firstId);
  for (const name of Object.keys(sections) as (keyof Sections)[]) {
    const items = sections[name];
    for (let from = 0; from < items.length; from += ITEMS_PER_CHUNK)
      yield JSON.stringify({ [name]: items.slice(from, from + ITEMS_PER_CHUNK) });
  }
}

function sectionsOf(replayed: Replayed, firstId: string): Sections {
  const { turns, bought, open, lanes, marks, rateWaits, redriven, seen } = replayed;
  return {
    turns: [...turns.values()].map(({ parked, ...turn }) => ({ ...turn, parked: [...parked] })),
    bought: [...bought].flatMap(([sale, units]) =>
      [...units].map(([name, count]) => [sale, name, count] as const),
    ),
    open: [...open].map(([name, { parts, ...order }]) => ({
      name,
      order: { ...order, placed: withoutPayment(order.placed) },
      ...(parts ? { parts: { of: parts.of, held: [...parts.held] } } : {}),
    })),
    lanes: [...lanes],
    marks: [...marks].flatMap(([user, of]) =>
      [...of].flatMap(([id, atMs]) => (id < firstId ? [] : [[user, id, atMs] as const])),
    ),
    waits: [...rateWaits.values()],
    redriven: [...redriven].flatMap(([sale, generations]) =>
      [...generations].map(([name, generation]) => [sale, name, generation] as const),
    ),
    seen: [...seen].filter(([name]) => name.slice(name.indexOf(" ") + 1) >= firstId),
  };
}

/** An open order needs neither payment token nor metadata: the ledger's charges have them. */
function withoutPayment({ order, fingerprint, atMs }: PlacedOrder): PlacedOrder {
  return { order: { ...order, payment: "", metadata: "", maxTotal: 0 }, fingerprint, atMs };
}

/** Adds a chunk to a Replayed that was empty before the first one. */
export function decodeInto(replayed: Replayed, chunk: string): void {
  const sections = JSON.parse(chunk) as Partial<Sections>;
  for (const { parked, ...turn } of sections.turns ?? [])
    replayed.turns.set(`${turn.saleId} ${turn.user}`, { ...turn, parked: new Map(parked) });
  for (const [sale, name, units] of sections.bought ?? []) {
    const of = replayed.bought.get(sale) ?? new Map<string, number>();
    replayed.bought.set(sale, of.set(name, units));
  }
  for (const { name, order, parts } of sections.open ?? []) {
    const held = parts && { parts: { of: parts.of, held: new Map(parts.held) } };
    replayed.open.set(name, { ...order, ...held });
  }
  for (const [user, ids] of sections.lanes ?? []) replayed.lanes.set(user, [...ids]);
  for (const [user, id, atMs] of sections.marks ?? []) {
    const of = replayed.marks.get(user) ?? new Map<string, number>();
    replayed.marks.set(user, of.set(id, atMs));
  }
  for (const wait of sections.waits ?? []) {
    const { user, id } = wait.placed.order;
    replayed.rateWaits.set(`${user} ${id}`, wait);
  }
  for (const [sale, name, generation] of sections.redriven ?? []) {
    const of = replayed.redriven.get(sale) ?? new Map<string, number>();
    replayed.redriven.set(sale, of.set(name, generation));
  }
  for (const [name, record] of sections.seen ?? []) replayed.seen.set(name, record);
}

/** Sales with orders that may still change. */
export function openSales({ open, turns, rateWaits }: Replayed): string[] {
  const sales = new Set<string>();
  for (const { placed } of open.values()) sales.add(placed.order.saleId);
  for (const { placed } of rateWaits.values()) sales.add(placed.order.saleId);
  for (const turn of turns.values()) if (turn.parked.size > 0) sales.add(turn.saleId);
  return [...sales].sort();
}
