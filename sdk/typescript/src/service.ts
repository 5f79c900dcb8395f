// A processing service: claims parts of paid orders, works on them, and reports them done. Where
// the parts come from is the source's business (HTTP or AMQP).
//
//  1. A part is worked on only after this service has claimed it.
//  2. A part whose work fails is put off; one that could not be reported comes again. So the work
//     may be repeated under its key, and must be safe to repeat.
import { orAbort } from "./gateways.ts";
import { sleep } from "./platform.ts";
import { Deadline, type Waiting } from "./settle.ts";

export interface PartLine {
  readonly sku: string;
  readonly qty: number;
  readonly category: string;
}

/** Some lines of a paid order: those of this service. */
export interface Part {
  readonly user: string;
  readonly id: string;
  readonly saleId: string;
  readonly generation: number;
  readonly part: number;
  readonly of: number;
  readonly shard: number;
  readonly region: string;
  readonly lines: readonly PartLine[];
  /** JSON text that the client gave with its order. */
  readonly metadata?: string;
  readonly traceparent?: string;
  /** How often it was put off, and since when (Unix ms). */
  readonly request?: number;
  readonly sinceMs?: number;
}

/** Identifies a part for good. The work under one key may be requested twice. */
export const partKey = ({
  user,
  id,
  generation,
  part,
}: Pick<Part, "user" | "id" | "generation" | "part">): string =>
  `${user}/${id}/${generation}/${part}`;

/** Where parts come from, and where reports go. */
export interface PartSource {
  /** Up to `most` parts, claimed for this service; none if none comes within `waitMs`. */
  claim(most: number, waitMs: number, signal: AbortSignal): Promise<readonly Part[]>;
  /** Resolves when the ledger has the report. Safe to repeat. */
  done(part: Part, waiting?: Waiting): Promise<void>;
  /** Puts the part off: it is given out again after a growing wait. */
  later(part: Part, waiting?: Waiting): Promise<void>;
  /** The part could not be reported: it will come again. */
  failed(part: Part): void;
  close(): Promise<void>;
}

export interface ServiceOptions {
  readonly source: PartSource;
  /** Does the work. `signal` aborts when `workMs` is over. */
  readonly work: (part: Part, key: string, signal: AbortSignal) => Promise<unknown> | unknown;
  /** Parts worked on at once: 16. */
  readonly concurrency?: number;
  /** Longer work counts as failed, and the part is put off: 10 minutes. */
  readonly workMs?: number;
  /** What failed. The part is not lost. */
  readonly onError?: (error: unknown, part: Part | undefined) => void;
}

const CONCURRENCY = 16;
const WORK_MS = 600_000;
const CLAIM_WAIT_MS = 20_000;
/** After a claim that failed. */
const REST_MS = 1_000;

export class Service {
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly options: ServiceOptions) {
    const { concurrency = CONCURRENCY } = options;
    if (!Number.isSafeInteger(concurrency) || concurrency < 1)
      throw new RangeError("concurrency must be a whole number from 1");
  }

  /** Serves until the signal aborts, then finishes what is under way and closes the source. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, concurrency = CONCURRENCY } = this.options;
    while (!signal.aborted) {
      const room = concurrency - this.underWay.size;
      if (room === 0) {
        await Promise.race(this.underWay);
        continue;
      }
      for (const part of await this.claim(room, signal)) {
        const work = this.serve(part).finally(() => this.underWay.delete(work));
        this.underWay.add(work);
      }
    }
    await Promise.all(this.underWay);
    await source.close();
  }

  private async claim(room: number, signal: AbortSignal): Promise<readonly Part[]> {
    try {
      return await this.options.source.claim(room, CLAIM_WAIT_MS, signal);
    } catch (error) {
      if (signal.aborted) return [];
      this.options.onError?.(error, undefined);
      await sleep(REST_MS, signal);
      return [];
    }
  }

  private async serve(part: Part): Promise<void> {
    const { source } = this.options;
    try {
      if (await this.worked(part)) await source.done(part);
      else await source.later(part);
    } catch (error) {
      this.options.onError?.(error, part);
      source.failed(part);
    }
  }

  private async worked(part: Part): Promise<boolean> {
    const { work, workMs = WORK_MS, onError } = this.options;
    const until = new Deadline({ deadlineMs: workMs });
    try {
      await orAbort(Promise.resolve(work(part, partKey(part), until.signal)), until.signal);
      return true;
    } catch (error) {
      onError?.(error, part);
      return false;
    } finally {
      until.end();
    }
  }
}
