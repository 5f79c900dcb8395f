// Which regions will not come back. Only an operator can know: `sluice recover --lost`.
//
// A region counts as lost while an operator has declared it lost and its broker is away. If the
// broker comes back after all, its queues are read again, and gaps wait for it again.
import type { Ledger } from "../../ledger/contract.ts";
import type { RegionLink } from "../orders/relay.ts";

export interface LostRegionsOptions {
  readonly regions: readonly RegionLink[];
  readonly ledger: Pick<Ledger, "lostRegions">;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

const NONE: ReadonlySet<string> = new Set();

export class LostRegions {
  private declared = NONE;
  private logged = "";

  constructor(private readonly options: LostRegionsOptions) {}

  get lost(): ReadonlySet<string> {
    const { declared } = this;
    return declared.size === 0 ? NONE : new Set(this.away.filter((name) => declared.has(name)));
  }

  /** Reads the ledger only while a region is away. */
  async refresh(): Promise<void> {
    const { ledger, log } = this.options;
    this.declared = this.away.length > 0 ? await ledger.lostRegions() : NONE;
    const regions = [...this.lost];
    if (regions.join() === this.logged) return;
    this.logged = regions.join();
    log("regions lost", { regions });
  }

  private get away(): string[] {
    return this.options.regions.flatMap(({ consuming }) => (consuming.up ? [] : consuming.region));
  }
}
