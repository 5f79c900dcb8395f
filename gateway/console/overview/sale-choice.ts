// Which sale the overview shows. Pure, and loaded by the page as it is.
//
// 1. Whoever has chosen one sees that one: it is in the address.
// 2. Otherwise the eye is led to what sells: of the open sales, the one that sells most. It stays
//    while it sells at all, so that two sales do not take turns.
import type { OverviewSale } from "../../../core/domain/overview.ts";

type Timed = Pick<OverviewSale, "opensAtMs" | "closesAtMs">;
type Stocked = { readonly items: readonly Pick<OverviewSale["items"][number], "unitsPerS">[] };
export type Shown = Pick<OverviewSale, "id"> & Timed & Stocked;

/** Open sales first, then those to come, then closed ones. */
export function rank({ opensAtMs, closesAtMs }: Timed, nowMs: number): 0 | 1 | 2 {
  if (nowMs < opensAtMs) return 1;
  return nowMs < closesAtMs ? 0 : 2;
}

/** Of those to come the next one first, of the others the one that opened last. */
function nearer(a: Timed, b: Timed, nowMs: number): number {
  return rank(a, nowMs) === 1 ? a.opensAtMs - b.opensAtMs : b.opensAtMs - a.opensAtMs;
}

export function listOf<S extends Shown>(sales: readonly S[], nowMs: number): S[] {
  return sales.toSorted((a, b) => rank(a, nowMs) - rank(b, nowMs) || nearer(a, b, nowMs));
}

/** Units per second; NaN: unknown. */
export function speedOf({ items }: Stocked): number {
  return items.reduce((sum, { unitsPerS }) => sum + (unitsPerS ?? Number.NaN), 0);
}

export interface Choosing {
  /** The id in the address. */
  readonly wanted: string | null | undefined;
  /** The id of the one shown last. */
  readonly last: string | undefined;
  readonly nowMs: number;
}

/** `listed`: as listOf gives them; undefined: there is none. */
export function chosen<S extends Shown>(
  listed: readonly S[],
  { wanted, last, nowMs }: Choosing,
): S | undefined {
  const named = listed.find(({ id }) => id === wanted);
  if (named) return named; // 1
  const open = listed.filter((sale) => rank(sale, nowMs) === 0);
  const same = open.find(({ id }) => id === last);
  const selling = open.filter((sale) => speedOf(sale) > 0);
  const stays = same && (Number.isNaN(speedOf(same)) || selling.includes(same));
  if (same && (stays || selling.length === 0)) return same; // 2
  return selling.toSorted((a, b) => speedOf(b) - speedOf(a))[0] ?? listed[0];
}
