// Calls to a thread, as the main thread sees them: answers arrive in any order, each call has a
// deadline, and only so many may wait. A thread that does not answer in time is terminated, and the
// next call starts another.
import { ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { Silence } from "../core/runtime/silence.ts";
import { LedgerUnavailable } from "./runner.ts";

export interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: readonly unknown[];
}

export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
  /** The word of an error for readiness, if it has one (database-errors.ts). */
  readonly state?: string | undefined;
}

export interface ThreadCallsOptions {
  readonly runtime: Runtime;
  /** The file that the thread runs. */
  readonly script: string;
  /** What the thread opens before its first call. */
  readonly open: object;
  /** For errors: `writer` or `reader`. */
  readonly name: string;
  readonly maxWaiting: number;
}

const CLOSE_MS = 5_000;

export class ThreadCalls {
  private worker: Worker | undefined;
  private closed = false;
  private readonly waiting = new Map<number, PromiseWithResolvers<unknown>>();
  private nextId = 0;

  constructor(private readonly options: ThreadCallsOptions) {}

  async call(limitMs: number, method: string, args: readonly unknown[]): Promise<unknown> {
    const { name, runtime, maxWaiting } = this.options;
    if (this.closed) throw new LedgerUnavailable(`the ledger's ${name} is closed`);
    if (this.waiting.size >= maxWaiting)
      throw new LedgerUnavailable(`${maxWaiting} calls wait for the ledger's ${name} already`);
    this.worker ??= this.start();
    const { worker } = this;
    const id = this.nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.waiting.set(id, answer);
    worker.postMessage({ id, method, args } satisfies Call);
    const silence = new Silence(runtime, limitMs, () =>
      this.ended(worker, `no answer within ${limitMs} ms`),
    );
    try {
      return await answer.promise;
    } finally {
      silence.end();
    }
  }

  async close(): Promise<void> {
    if (this.worker) await ignore(this.call(CLOSE_MS, "close", []), "ledger_close"); // ended below
    this.closed = true;
    this.worker?.terminate();
  }

  /** When the thread ends, all waiting calls fail, and the next call starts another. */
  private start(): Worker {
    const worker = new Worker(this.options.script);
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.settle(data);
    worker.onerror = (event) => this.ended(worker, event.message);
    worker.addEventListener("close", () => this.ended(worker, "it ended"));
    worker.postMessage({ open: this.options.open });
    return worker;
  }

  /** Calls in flight may have taken effect: the callers check. */
  private ended(worker: Worker, why: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    worker.terminate();
    for (const answer of this.waiting.values())
      answer.reject(new LedgerUnavailable(`the ledger's thread: ${why}`));
    this.waiting.clear();
  }

  private settle({ id, value, error, state }: Answer): void {
    const answer = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) answer?.resolve(value);
    else answer?.reject(new LedgerUnavailable(error, state));
  }
}
