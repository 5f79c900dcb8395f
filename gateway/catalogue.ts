// The sales known to the gateway: a copy of the ledger's. When the catalogue's version changes, it
// reads the sales that have changed: one may have ten thousand items.
import type { Sale } from "../core/domain/sale.ts";
import { countIgnored } from "../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../core/runtime/runtime.ts";
import type { Ledger } from "../ledger/contract.ts";

/** How far the copy may lag behind. */
const POLL_MS = 500;
/** Orders for an unknown sale trigger a refresh, all together at most this often. */
const MIN_LOOK_MS = 50;

/** A sale, and each offered item's units at its start. */
export interface KnownSale {
  readonly version: number;
  readonly sale: Sale;
  readonly initial: ReadonlyMap<string, number>;
}

export class Catalogue {
  private known = new Map<string, KnownSale>();
  private version = -1;
  private looking: Promise<boolean> | undefined;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  /** The ledger did not answer the last query. */
  behind = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "catalogueVersion" | "saleVersions" | "sales">,
  ) {}

  /** Rejects if the ledger cannot be read: without a catalogue nothing can be sold. */
  async start(): Promise<void> {
    await this.look();
    this.timer = this.runtime.startInterval(() => this.refresh(), POLL_MS);
  }

  stop(): void {
    this.runtime.stopTimer(this.timer);
  }

  get(saleId: string): KnownSale | undefined {
    return this.known.get(saleId);
  }

  all(): readonly Sale[] {
    return [...this.known.values()].map((k) => k.sale);
  }

  /** Checks the ledger unless it was just checked. Returns whether the copy was refreshed. */
  async refreshSoon(): Promise<boolean> {
    if (this.looking === undefined && this.runtime.monotonicMs() - this.lookedAtMs < MIN_LOOK_MS)
      return false;
    return this.refresh();
  }

  /** Checks the ledger now. Returns whether the copy was refreshed. */
  refresh(): Promise<boolean> {
    this.looking ??= this.look()
      .catch(() => {
        countIgnored("catalogue_look");
        this.behind = true;
        return false;
      })
      .finally(() => {
        this.looking = undefined;
      });
    return this.looking;
  }

  private async look(): Promise<boolean> {
    this.lookedAtMs = this.runtime.monotonicMs();
    const version = await this.ledger.catalogueVersion();
    this.behind = false;
    if (version === this.version) return false;
    // The versions too are read before the sales, for the same reason as below.
    const versions = await this.ledger.saleVersions();
    const changed = versions.filter((sale) => this.known.get(sale.id)?.version !== sale.version);
    const all = changed.length === versions.length;
    const read = await this.ledger.sales(all ? undefined : changed.map(({ id }) => id));
    const sales = new Map(read.map((sale) => [sale.id, sale]));
    this.known = new Map(
      versions.flatMap(({ id, version }): [string, KnownSale][] => {
        const sale = sales.get(id);
        if (sale) return [[id, knownSale(version, sale)]];
        const known = this.known.get(id);
        return known ? [[id, known]] : [];
      }),
    );
    // Read before the sales: if they are newer, the next check refreshes once too often, never too
    // seldom.
    this.version = version;
    return true;
  }
}

export function knownSale(version: number, sale: Sale): KnownSale {
  const offered = sale.items.filter(({ withdrawn }) => !withdrawn);
  return { version, sale, initial: new Map(offered.map((item) => [item.sku, item.initial])) };
}
