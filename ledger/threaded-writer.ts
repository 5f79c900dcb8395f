// SQLite's writer in a thread of its own (thread.ts), with a deadline for each call.
import { ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { Silence } from "../core/runtime/silence.ts";
import type {
  ClaimedKey,
  EntryToRecord,
  KeyClaim,
  LedgerWriter,
  RecordResult,
  ShardPosition,
} from "./contract.ts";
import { LedgerUnavailable } from "./db.ts";
import type { Answer, Call } from "./thread.ts";

/** Longer than a call waits for another process's transaction (db.ts), even behind other calls. */
const ANSWER_MS = 30_000;
/** Asking for everything again is one long transaction. */
const ASK_AGAIN_MS = 10 * 60_000;
const CLOSE_MS = 5_000;

export interface ThreadOptions {
  readonly answerMs?: number;
  /** The file that the thread runs. */
  readonly script?: string;
}

/** The writer as the main thread sees it: it sends calls, and answers arrive in any order. */
export class ThreadedWriter implements LedgerWriter {
  private worker: Worker | undefined;
  private closed = false;
  private readonly open = new Map<number, PromiseWithResolvers<unknown>>();
  private nextId = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly url: string,
    private readonly options: ThreadOptions = {},
  ) {}

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

  claimKeys(claims: readonly KeyClaim[], forgetBeforeMs: number): Promise<ClaimedKey[]> {
    return this.call("claimKeys", claims, forgetBeforeMs) as Promise<ClaimedKey[]>;
  }

  async close(): Promise<void> {
    if (this.worker) await ignore(this.call("close"), "ledger_close"); // terminated below anyway
    this.closed = true;
    this.worker?.terminate();
  }

  /** A thread that does not answer in time is terminated, and the next call starts another. */
  private async call(method: Call["method"], ...args: unknown[]): Promise<unknown> {
    if (this.closed) throw new LedgerUnavailable("the ledger's writer is closed");
    this.worker ??= this.start();
    const { worker } = this;
    const id = this.nextId++;
    const answer = Promise.withResolvers<unknown>();
    this.open.set(id, answer);
    worker.postMessage({ id, method, args } satisfies Call);
    const limitMs = this.limitOf(method);
    const silence = new Silence(this.runtime, limitMs, () =>
      this.ended(worker, `no answer within ${limitMs} ms`),
    );
    try {
      return await answer.promise;
    } finally {
      silence.end();
    }
  }

  private limitOf(method: Call["method"]): number {
    if (method === "askAgain") return ASK_AGAIN_MS;
    if (method === "close") return CLOSE_MS;
    return this.options.answerMs ?? ANSWER_MS;
  }

  /** Starts a thread. When it ends, all waiting calls fail, and the next call starts another. */
  private start(): Worker {
    const script = this.options.script ?? new URL("./thread.ts", import.meta.url).href;
    const worker = new Worker(script);
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.settle(data);
    worker.onerror = (event) => this.ended(worker, event.message);
    worker.addEventListener("close", () => this.ended(worker, "it ended"));
    worker.postMessage({ open: this.url });
    return worker;
  }

  /** Calls in flight may have been committed: the callers check. */
  private ended(worker: Worker, why: string): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    worker.terminate();
    this.failAll(why);
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
