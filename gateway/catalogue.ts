// The sales as the gateway knows them: a copy of the ledger's, renewed when the ledger's catalogue
// version has changed.
import type { Sale } from "../core/domain/sale.ts";
import { countIgnored } from "../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../core/runtime/runtime.ts";
import type { Ledger } from "../ledger/contract.ts";

/** How far behind the copy may be. */
const POLL_MS = 500;
/** Orders that name an unknown sale ask for a look at the ledger, together at most this often. */
const MIN_LOOK_MS = 50;

/** A sale with its skus at hand. */
export interface KnownSale {
  readonly sale: Sale;
  readonly skus: ReadonlySet<string>;
}

export class Catalogue {
  private known = new Map<string, KnownSale>();
  private version = -1;
  private looking: Promise<boolean> | undefined;
  private lookedAtMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | undefined;
  /** The ledger did not answer the last look. */
  behind = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "catalogueVersion" | "sales">,
  ) {}

  /** Rejects when the ledger cannot be read: without a catalogue nothing can be sold. */
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

  /** Looks at the ledger unless somebody just has. Whether the copy was renewed. */
  async refreshSoon(): Promise<boolean> {
    if (this.looking === undefined && this.runtime.monotonicMs() - this.lookedAtMs < MIN_LOOK_MS)
      return false;
    return this.refresh();
  }

  /** Looks at the ledger now. Whether the copy was renewed. */
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
    const sales = await this.ledger.sales();
    this.known = new Map(
      sales.map((sale) => [sale.id, { sale, skus: new Set(sale.items.map((i) => i.sku)) }]),
    );
    // Read before the sales: should they be newer, the next look renews once too often, never too
    // seldom.
    this.version = version;
    return true;
  }
}
