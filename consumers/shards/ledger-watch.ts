// Watches whether the ledger answers this worker: by a simple query between heartbeats, and by the
// worker's commits. The query's answer also shows a ledger that has gone back behind what it had
// confirmed: an owner that has nothing to record finds out in no other way.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { type Recorder, stateOf } from "../orders/recorder.ts";
import type { AcquiredShard } from "./shard-owner.ts";

/** The ledger counts as away if a simple query takes longer. */
const WAIT_MS = 2_000;
/**
 * After a silence of this length, a worker releases its shards to workers that reach the ledger. By
 * then a dropped connection has been redialled once (ledger/db.ts).
 */
const GIVE_UP_MS = 15_000;

type Owner = Pick<AcquiredShard, "shard" | "recorded">;

export interface LedgerWatchOptions<O extends Owner> {
  readonly runtime: Runtime;
  readonly ledger: Pick<Ledger, "positions">;
  readonly recorder: Pick<Recorder, "silentMs">;
  readonly giveUpMs?: number;
  /** Releases all shards. */
  readonly giveUp: () => Promise<void>;
  /** The ledger lacks what it had confirmed to this owner. */
  readonly wentBack: (owner: O) => Promise<void>;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class LedgerWatch<O extends Owner = AcquiredShard> {
  /**
   * The result of the last query: `up`, `away`, or what the ledger's error says. A worker that
   * commits nothing finds out in no other way.
   */
  state = "up";
  /** The ledger has been silent for too long: this worker keeps its heartbeat, but owns nothing. */
  lost = false;
  private heardMs: number;

  get answers(): boolean {
    return this.state === "up";
  }

  constructor(private readonly options: LedgerWatchOptions<O>) {
    this.heardMs = options.runtime.monotonicMs();
  }

  async check(owners: readonly O[]): Promise<void> {
    const { runtime, ledger, wentBack } = this.options;
    // Read before the query: its answer may be ahead of them, and never behind.
    const marks = owners.map((owner) => ({ owner, ...owner.recorded }));
    const positions = await withTimeout(runtime, ledger.positions(), WAIT_MS).catch((error) => {
      this.state = stateOf(error);
      return undefined;
    });
    if (positions) this.state = "up";
    await this.measure();
    for (const { owner, id, n } of marks) {
      const now = positions?.find(({ shard }) => shard === owner.shard);
      if (now && (now.lastN < n || (now.lastN === n && now.lastId !== id))) await wentBack(owner);
    }
  }

  private async measure(): Promise<void> {
    const { runtime, recorder, giveUp, giveUpMs = GIVE_UP_MS, log } = this.options;
    const nowMs = runtime.monotonicMs();
    if (this.answers) this.heardMs = nowMs;
    const silentMs = Math.max(recorder.silentMs, nowMs - this.heardMs);
    // It is back only once pending commits are settled too.
    const lost = this.lost ? silentMs > 0 : silentMs > giveUpMs;
    if (lost === this.lost) return;
    this.lost = lost;
    log(lost ? "ledger silent" : "ledger answers again", { silentMs: Math.round(silentMs) });
    if (lost) await giveUp();
  }
}

export function withTimeout<T>(runtime: Runtime, work: Promise<T>, ms: number): Promise<T> {
  return Promise.race([
    work,
    runtime.sleep(ms).then(() => {
      throw new Error(`no answer within ${ms} ms`);
    }),
  ]);
}
