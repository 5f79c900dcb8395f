// Whether the ledger answers this worker: by a simple question between beats, and by its commits.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Recorder } from "../orders/recorder.ts";

/** The ledger counts as away when it answers no simple question within this. */
const WAIT_MS = 2_000;
/**
 * A worker whose ledger has been silent for this long gives its shards up, so that one with a live
 * connection takes them. A dropped connection has been dialled anew once by then (ledger/db.ts).
 */
const GIVE_UP_MS = 15_000;

export interface LedgerWatchOptions {
  readonly runtime: Runtime;
  readonly ledger: Pick<Ledger, "incarnation">;
  readonly recorder: Pick<Recorder, "silentMs">;
  readonly giveUpMs?: number;
  /** Releases all shards. */
  readonly giveUp: () => Promise<void>;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class LedgerWatch {
  /** At the last look: a worker that commits nothing finds out no other way. */
  answers = true;
  /** It has been silent for too long: this worker keeps beating, and owns nothing. */
  lost = false;
  private heardMs: number;

  constructor(private readonly options: LedgerWatchOptions) {
    this.heardMs = options.runtime.monotonicMs();
  }

  async look(): Promise<void> {
    const { runtime, ledger, recorder, giveUp, giveUpMs = GIVE_UP_MS, log } = this.options;
    this.answers = await withTimeout(runtime, ledger.incarnation(), WAIT_MS).then(
      () => true,
      () => false,
    );
    const nowMs = runtime.monotonicMs();
    if (this.answers) this.heardMs = nowMs;
    const silentMs = Math.max(recorder.silentMs, nowMs - this.heardMs);
    // Back only when both answer: what waits to be recorded is settled first.
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
