// SQLite's writer in a thread of its own (thread.ts), with a deadline for each call.
import type { Part } from "../core/domain/part.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import type {
  ClaimedKey,
  EntryToRecord,
  KeyClaim,
  LapsedRequest,
  Leased,
  LeaseEnd,
  LeaseRequest,
  LedgerWriter,
  RecordedRate,
  RecordResult,
  ReportBegin,
  ReportBegun,
  SettledClaim,
  ShardPosition,
} from "./contract.ts";
import { ThreadCalls } from "./thread-calls.ts";
import type { TimelineAddition, TimelineKept } from "./timeline-contract.ts";

/** Longer than a call waits for another process's transaction (db.ts), even behind other calls. */
const ANSWER_MS = 30_000;
/** Asking for everything again is one long transaction. */
const ASK_AGAIN_MS = 10 * 60_000;
/** A worker sends a few at a time. */
const MAX_WAITING = 10_000;

export interface ThreadOptions {
  readonly answerMs?: number;
  /** The file that the thread runs. */
  readonly script?: string;
}

/** The writer as the main thread sees it. */
export class ThreadedWriter implements LedgerWriter {
  private readonly thread: ThreadCalls;

  constructor(
    runtime: Runtime,
    url: string,
    private readonly options: ThreadOptions = {},
  ) {
    this.thread = new ThreadCalls({
      runtime,
      script: options.script ?? new URL("./thread.ts", import.meta.url).href,
      open: { url },
      name: "writer",
      maxWaiting: MAX_WAITING,
    });
  }

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
    return this.thread.call(ASK_AGAIN_MS, "askAgain", []) as Promise<number>;
  }

  claimKeys(claims: readonly KeyClaim[], forgetBeforeMs: number): Promise<ClaimedKey[]> {
    return this.call("claimKeys", claims, forgetBeforeMs) as Promise<ClaimedKey[]>;
  }

  noteRates(rates: readonly RecordedRate[]): Promise<void> {
    return this.call("noteRates", rates) as Promise<void>;
  }

  keepTimeline(addition: TimelineAddition): Promise<TimelineKept> {
    return this.call("keepTimeline", addition) as Promise<TimelineKept>;
  }

  leaseParts(request: LeaseRequest, arrived: readonly Part[]): Promise<Leased> {
    return this.call("leaseParts", request, arrived) as Promise<Leased>;
  }

  settleClaim(settled: SettledClaim): Promise<void> {
    return this.call("settleClaim", settled) as Promise<void>;
  }

  beginReport(begin: ReportBegin): Promise<ReportBegun> {
    return this.call("beginReport", begin) as Promise<ReportBegun>;
  }

  endLease(end: LeaseEnd): Promise<void> {
    return this.call("endLease", end) as Promise<void>;
  }

  lapsedParts(request: LapsedRequest): ReturnType<LedgerWriter["lapsedParts"]> {
    return this.call("lapsedParts", request) as ReturnType<LedgerWriter["lapsedParts"]>;
  }

  close(): Promise<void> {
    return this.thread.close();
  }

  private call(method: keyof LedgerWriter, ...args: unknown[]): Promise<unknown> {
    return this.thread.call(this.options.answerMs ?? ANSWER_MS, method, args);
  }
}
