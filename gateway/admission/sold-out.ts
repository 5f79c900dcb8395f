// Which items are sold out, so that an order for one can be answered without a way through the
// broker. Only ever a short cut: the flags are made of what Redis says about once a fifth of a
// second while orders come in, hold for a second at most, and fall as soon as a unit has come back
// or may be on its way. Decisions stay with Redis.
import type { Stock } from "../../core/domain/sale.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";

/** Redis is asked again after this while orders come in. */
const LOOK_EVERY_MS = 200;
/** A flag is believed for so long after its question was asked. */
const BELIEVED_MS = 1_000;

interface Flags {
  skus: ReadonlySet<string>;
  /** Monotonic ms. */
  untilMs: number;
  askedMs: number;
  asking: boolean;
}

const NONE: ReadonlySet<string> = new Set();

export class SoldOut {
  private readonly sales = new Map<string, Flags>();
  /**
   * Raised whenever units may have come back: answers to questions asked before count for nothing.
   */
  private version = 0;

  /** `saleId` must be a known sale's. */
  constructor(
    private readonly stockOf: (saleId: string) => Promise<readonly Stock[] | undefined>,
    /** Monotonic ms. */
    private readonly now: () => number,
  ) {}

  /** The sale's items that are sold out for sure, as far as is known. */
  of(saleId: string): ReadonlySet<string> {
    const nowMs = this.now();
    let flags = this.sales.get(saleId);
    if (!flags) {
      flags = { skus: NONE, untilMs: 0, askedMs: Number.NEGATIVE_INFINITY, asking: false };
      this.sales.set(saleId, flags);
    }
    if (!flags.asking && nowMs - flags.askedMs >= LOOK_EVERY_MS)
      void this.ask(saleId, flags, nowMs);
    return nowMs < flags.untilMs ? flags.skus : NONE;
  }

  /**
   * Units may have come back (a restock, a cancel, a failed charge): nothing is sold out until
   * Redis says so anew.
   */
  unitsBack(): void {
    this.version++;
    for (const flags of this.sales.values()) {
      flags.untilMs = 0;
      flags.askedMs = Number.NEGATIVE_INFINITY;
    }
  }

  private async ask(saleId: string, flags: Flags, nowMs: number): Promise<void> {
    flags.asking = true;
    flags.askedMs = nowMs;
    const { version } = this;
    try {
      const stock = await this.stockOf(saleId);
      if (version !== this.version) return;
      flags.skus = new Set(
        stock?.filter((s) => s.available === 0 && s.releasing === 0).map((s) => s.sku),
      );
      flags.untilMs = nowMs + BELIEVED_MS;
    } catch {
      countIgnored("stock_look"); // Redis does not answer: the flags lapse
    } finally {
      flags.asking = false;
    }
  }
}
