import type { EntryToRecord, LedgerWriter, RecordResult, ShardPosition } from "./contract.ts";
import { LedgerUnavailable } from "./db.ts";
import type { Answer, Call } from "./thread.ts";

/** The writer seen from the main thread: calls go over, answers come back in any order. */
export class ThreadedWriter implements LedgerWriter {
  private worker: Worker | undefined;
  private closed = false;
  private readonly open = new Map<number, PromiseWithResolvers<unknown>>();
  private nextId = 0;

  constructor(private readonly url: string) {}

  record(entries: readonly EntryToRecord[]): Promise<RecordResult[]> {
    return this.call("record", entries) as Promise<RecordResult[]>;
  }

  takeShard(shard: number, owner: string): Promise<ShardPosition> {
    return this.call("takeShard", shard, owner) as Promise<ShardPosition>;
  }

  beginRebuild(from: number): ReturnType<LedgerWriter["beginRebuild"]> {
    return this.call("beginRebuild", from) as ReturnType<LedgerWriter["beginRebuild"]>;
  }

  followUpsDone(ids: readonly number[]): Promise<void> {
    return this.call("followUpsDone", ids) as Promise<void>;
  }

  askAgain(): Promise<number> {
    return this.call("askAgain") as Promise<number>;
  }

  async close(): Promise<void> {
    if (this.worker) await this.call("close").catch(() => undefined);
    this.closed = true;
    this.worker?.terminate();
  }

  private call(method: Call["method"], ...args: unknown[]): Promise<unknown> {
    if (this.closed) return Promise.reject(new LedgerUnavailable("the ledger's writer is closed"));
    this.worker ??= this.start();
    const id = this.nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.open.set(id, answer);
    this.worker.postMessage({ id, method, args } satisfies Call);
    return answer.promise;
  }

  /** A thread that has ended answers nothing more: what waits for it fails, and the next call starts another. */
  private start(): Worker {
    const worker = new Worker(new URL("./thread.ts", import.meta.url).href);
    const ended = (message: string) => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      worker.terminate();
      this.failAll(message);
    };
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.settle(data);
    worker.onerror = (event) => ended(event.message);
    worker.addEventListener("close", () => ended("it ended"));
    worker.postMessage({ open: this.url });
    return worker;
  }

  private settle({ id, value, error }: Answer): void {
    const answer = this.open.get(id);
    this.open.delete(id);
    if (error === undefined) answer?.resolve(value);
    else answer?.reject(new LedgerUnavailable(error));
  }

  private failAll(message: string): void {
    for (const answer of this.open.values())
      answer.reject(new LedgerUnavailable(`the ledger's thread: ${message}`));
    this.open.clear();
  }
}
