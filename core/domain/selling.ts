// How fast each item sells, and when it will be sold out at that rate.
import type { ItemFigures } from "./sale-figures.ts";

/** The rate is measured over this time, ms; a shorter one would follow every pause. */
const OVER_MS = 60_000;
const EVERY_MS = 5_000;
/** A rate over less time than this is chance. */
const MIN_MS = 10_000;
/** Fewer units in that time do not show when the rest will be sold. */
const MIN_UNITS = 5;
/** Nothing was sold for this many times the usual pause: at present it does not sell. */
const PAUSES = 4;

export interface Shelf {
  readonly total: number;
  readonly available: number;
}

interface Sample {
  readonly atMs: number;
  /** Units that have left the shelf, by item. */
  readonly gone: ReadonlyMap<string, number>;
}

/** Remembers the last minute of what is on sale; bounded by the items of an overview. */
export class Selling {
  private samples: Sample[] = [];
  private soldOut = new Map<string, number>();

  /** Called with the units that Redis gave, by a name for each item. */
  look(units: ReadonlyMap<string, Shelf>, atMs: number): void {
    const soldOut = new Map<string, number>();
    for (const [name, { available, total }] of units)
      if (available === 0 && total > 0) soldOut.set(name, this.soldOut.get(name) ?? atMs);
    this.soldOut = soldOut;
    const last = this.samples.at(-1);
    if (last && atMs - last.atMs < EVERY_MS) return;
    const gone = new Map([...units].map(([name, s]) => [name, s.total - s.available]));
    this.samples = [...this.samples.filter((s) => atMs - s.atMs <= OVER_MS), { atMs, gone }];
  }

  /** `shelf` undefined: its units are not known now. */
  figures(
    name: string,
    shelf: Shelf | undefined,
    { atMs, closesAtMs }: { readonly atMs: number; readonly closesAtMs: number },
  ): ItemFigures {
    const first = this.samples.find((s) => s.gone.has(name));
    if (!shelf || !first || atMs - first.atMs < MIN_MS)
      return { unitsPerS: null, soldOutAtMs: this.soldOut.get(name) ?? null };
    const left = shelf.total - shelf.available - (first.gone.get(name) ?? 0);
    const unitsPerS = (1_000 * Math.max(0, left)) / (atMs - first.atMs);
    if (shelf.available === 0) return { unitsPerS, soldOutAtMs: this.soldOut.get(name) ?? null };
    const tells =
      left >= Math.min(MIN_UNITS, shelf.available) &&
      this.stillMs(name, shelf, atMs) <= Math.max(MIN_MS, (1_000 * PAUSES) / unitsPerS);
    const endMs =
      unitsPerS > 0 && tells ? atMs + (1_000 * shelf.available) / unitsPerS : Number.NaN;
    return { unitsPerS, soldOutAtMs: endMs <= closesAtMs ? Math.round(endMs) : null };
  }

  /** For how long nothing has left the shelf, ms. */
  private stillMs(name: string, { total, available }: Shelf, atMs: number): number {
    const since = this.samples.findLast((s) => (s.gone.get(name) ?? 0) < total - available);
    const first = this.samples[since ? this.samples.indexOf(since) + 1 : 0];
    return atMs - (first?.atMs ?? atMs);
  }
}
