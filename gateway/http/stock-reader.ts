// Live stock for any number of readers: one query to Redis per sale at a time, its answer cached
// for a moment.
import type { Stock } from "../../core/domain/sale.ts";

/** Far shorter than a person notices, far longer than the interval between requests in a flood. */
const FRESH_MS = 20;

interface Answer {
  readonly stock: Promise<readonly Stock[] | undefined>;
  /** Monotonic ms; undefined while it is being fetched. */
  atMs: number | undefined;
}

export class StockReader {
  private readonly answers = new Map<string, Answer>();

  /** `saleId` must be a known sale's: nothing is cached for invented ones. */
  constructor(
    private readonly ask: (saleId: string) => Promise<readonly Stock[] | undefined>,
    private readonly monotonicMs: () => number,
  ) {}

  readonly of = (saleId: string): Promise<readonly Stock[] | undefined> => {
    const known = this.answers.get(saleId);
    if (known && (known.atMs === undefined || this.monotonicMs() - known.atMs < FRESH_MS))
      return known.stock;
    const answer: Answer = { stock: this.ask(saleId), atMs: undefined };
    this.answers.set(saleId, answer);
    answer.stock.then(
      () => {
        answer.atMs = this.monotonicMs();
      },
      () => {
        if (this.answers.get(saleId) === answer) this.answers.delete(saleId);
      },
    );
    return answer.stock;
  };

  /** Something has changed: the next queries go to Redis. */
  forget(): void {
    this.answers.clear();
  }
}
