// Live stock for any number of readers: one query to Redis per sale at a time, its answer cached
// for a moment, or for as long as keeps the queries below a twentieth of the time: a sale of ten
// thousand items is read less often. Its text for HTTP is made once. Both are made page by page, so
// that orders have their turn in between.
import type { Stock, Units } from "../../core/domain/sale.ts";
import { inPages } from "../../core/runtime/in-pages.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { KnownSale } from "../catalogue.ts";
import { type TaggedText, taggedBytes } from "./tagged-text.ts";

/** Far shorter than a person notices, far longer than the interval between requests in a flood. */
const FRESH_MS = 20;
/** An answer is used for this many times as long as it took to get … */
const REST = 19;
/** … but never longer than this. */
const MAX_MS = 1_000;

interface Answer {
  /** When Redis was asked, monotonic ms. */
  readonly askedMs: number;
  readonly stock: Promise<readonly Stock[] | undefined>;
  /** Monotonic ms; undefined while it is being fetched. */
  freshUntilMs: number | undefined;
  text: Promise<TaggedText> | undefined;
}

interface AskedUnits {
  /** undefined: Redis does not have the sale yet. */
  readonly units: readonly Units[] | undefined;
  readonly sale: ShownSale | undefined;
}

type ShownSale = Pick<KnownSale, "initial">;

export class StockReader {
  private readonly answers = new Map<string, Answer>();

  /** `saleId` must be a known sale's: nothing is cached for invented ones. */
  constructor(
    private readonly runtime: Pick<Runtime, "monotonicMs" | "nextTurn">,
    private readonly ask: (saleId: string) => Promise<AskedUnits>,
  ) {}

  readonly of = (saleId: string): Promise<readonly Stock[] | undefined> => {
    return this.answerOf(saleId).stock;
  };

  /** The stock, and when Redis was asked for it (monotonic ms): that may be a while ago. */
  readonly look = async (
    saleId: string,
  ): Promise<{ readonly stock: readonly Stock[] | undefined; readonly askedMs: number }> => {
    const { stock, askedMs } = this.answerOf(saleId);
    return { stock: await stock, askedMs };
  };

  /** undefined: Redis does not have the sale yet. Rejects if Redis does not answer. */
  async textOf(saleId: string): Promise<TaggedText | undefined> {
    const answer = this.answerOf(saleId);
    const stock = await answer.stock;
    if (!stock) return undefined;
    answer.text ??= this.textFrom(saleId, stock);
    return answer.text;
  }

  /** Something has changed: the next queries go to Redis. */
  forget(): void {
    this.answers.clear();
  }

  private async textFrom(saleId: string, stock: readonly Stock[]): Promise<TaggedText> {
    const encoder = new TextEncoder();
    const pieces = [encoder.encode(`{"saleId":${JSON.stringify(saleId)},"items":[`)];
    await inPages(this.runtime, stock, (page) => {
      const items = page.map((item) => JSON.stringify(item)).join(",");
      pieces.push(encoder.encode(pieces.length > 1 ? `,${items}` : items));
    });
    pieces.push(encoder.encode("]}"));
    return taggedBytes(Buffer.concat(pieces));
  }

  private async shown(saleId: string): Promise<readonly Stock[] | undefined> {
    const { units, sale } = await this.ask(saleId);
    if (!units || !sale) return undefined;
    const shown: Stock[] = [];
    await inPages(this.runtime, units, (page) => {
      shown.push(...shownUnits(page, sale));
    });
    return shown;
  }

  private answerOf(saleId: string): Answer {
    const askedMs = this.runtime.monotonicMs();
    const known = this.answers.get(saleId);
    if (known && (known.freshUntilMs === undefined || askedMs < known.freshUntilMs)) return known;
    const answer: Answer = {
      askedMs,
      stock: this.shown(saleId),
      freshUntilMs: undefined,
      text: undefined,
    };
    this.answers.set(saleId, answer);
    answer.stock.then(
      () => {
        const nowMs = this.runtime.monotonicMs();
        const restMs = Math.min(MAX_MS, REST * (nowMs - askedMs));
        answer.freshUntilMs = nowMs + Math.max(FRESH_MS, restMs);
      },
      () => {
        if (this.answers.get(saleId) === answer) this.answers.delete(saleId);
      },
    );
    return answer;
  }
}

/** `initial` is the sale's, as everywhere; the operator added or took away the others. */
export function shownUnits(units: readonly Units[], { initial: known }: ShownSale): Stock[] {
  return units.map(({ sku, available, releasing, held, sold }) => {
    const total = available + releasing + held + sold;
    const initial = known.get(sku) ?? total;
    const restocked = Math.max(0, total - initial);
    // Net: Redis knows the units that are there, not how they came and went.
    const corrected = initial + restocked - total;
    const shown = { sku, initial, restocked, available, releasing, held, sold };
    return corrected > 0 ? { ...shown, corrected } : shown;
  });
}
