// Which items are sold out, so that the gateway can answer an order for one without the broker.
// Only a shortcut: Redis still decides.
//
// 1. A flag comes from Redis, and is trusted for at most a second after its query. The answer may
//    be one that others have asked for before.
// 2. When units may have come back, all flags are cleared and older answers are ignored.
// 3. An item with units on their way back is not sold out.
import type { Stock } from "../../core/domain/sale.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";

/** How often Redis is asked while orders arrive. */
const LOOK_EVERY_MS = 200;
/** How long a flag is trusted, from the moment of its query. */
const BELIEVED_MS = 1_000;

interface Flags {
  skus: ReadonlySet<string>;
  /** Monotonic ms. */
  untilMs: number;
  askedMs: number;
  asking: boolean;
}

/** A sale's stock; undefined: Redis does not have the sale yet. */
export interface Looked {
  readonly stock: readonly Stock[] | undefined;
  /** When Redis was asked, monotonic ms. */
  readonly askedMs: number;
}

const NONE: ReadonlySet<string> = new Set();

export class SoldOut {
  private readonly sales = new Map<string, Flags>();
  /** Incremented whenever units may have come back: answers to older queries are ignored. */
  private version = 0;

  /** `saleId` must be a known sale's. */
  constructor(
    private readonly look: (saleId: string) => Promise<Looked>,
    /** Monotonic ms. */
    private readonly now: () => number,
  ) {}

  /** The sale's items that are certainly sold out, as far as is known. */
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
   * Units may have come back (a restock, a cancel, a failed charge): nothing counts as sold out
   * until Redis says so again.
   */
  unitsBack(): void {
    this.version++;
    for (const flags of this.sales.values()) {
      flags.untilMs = 0; // 2
      flags.askedMs = Number.NEGATIVE_INFINITY;
    }
  }

  private async ask(saleId: string, flags: Flags, nowMs: number): Promise<void> {
    flags.asking = true;
    flags.askedMs = nowMs;
    const { version } = this;
    try {
      const { stock, askedMs } = await this.look(saleId);
      if (version !== this.version) return; // 2
      flags.skus = new Set(
        stock?.filter((s) => s.available === 0 && s.releasing === 0).map((s) => s.sku), // 3
      );
      flags.untilMs = askedMs + BELIEVED_MS; // 1
    } catch {
      countIgnored("stock_look"); // Redis does not answer: the flags expire
    } finally {
      flags.asking = false;
    }
  }
}
