// The steps of a rebuild, on the real stores.
import { loadJournal } from "../../consumers/rebuild/load-journal.ts";
import { loadReplayed } from "../../consumers/rebuild/load-shard.ts";
import { loadStock } from "../../consumers/rebuild/rebuild.ts";
import { DEFAULT_DEDUP_WINDOW_MS } from "../../core/stores/keys.ts";
import { type Load, LostWhileLoading, Overtaken } from "../../core/stores/rebuild-store.ts";
import type { Call, Flaw } from "./call.ts";
import type { Names } from "./names.ts";
import { SHARDS, type Stores } from "./stores.ts";
import { at, rebuildOf, type SpecPlace, shardIn } from "./world-state.ts";

/** The stores may rightly continue where the specification does not: the trace ends here. */
export class Parted extends Error {}

export class Rebuilds {
  /** By worker. */
  private readonly loads = new Map<number, Load>();
  /** A shard was empty when it was loaded, so its loss changes nothing: the store may be opened. */
  private unasked = false;

  constructor(
    private readonly stores: Stores,
    private readonly names: Names,
  ) {}

  async begin({ args: [worker], before, after }: Call): Promise<Flaw> {
    const { inc } = rebuildOf(after, Number(worker));
    if (inc === 0) return undefined;
    const begun = await this.stores.open.writer.beginRebuild(before.ledger.inc);
    if (begun?.incarnation !== inc) return "the ledger let no rebuild begin";
    this.loads.set(Number(worker), this.stores.rebuilds.load(inc, SHARDS));
    return undefined;
  }

  async reset({ args: [worker], before, after }: Call): Promise<Flaw> {
    const { inc, places, resets } = rebuildOf(before, Number(worker));
    const shard = resets[0] as number;
    const { epoch, last, n: lastN } = at<SpecPlace>(places, shard);
    const place = { shard, epoch, lastId: this.names.entryId(last), lastN };
    const word = await this.stores.rebuilds.reset(this.stores.open.ledger.storeId, inc, place);
    const went = rebuildOf(after, Number(worker)).inc > 0;
    return went === (word === "loading") ? undefined : `the reset answered '${word}'`;
  }

  async load({ args: [worker], before, after }: Call): Promise<Flaw> {
    const part = rebuildOf(before, Number(worker)).loads[0] as number;
    const load = this.loads.get(Number(worker)) as Load;
    const calls = this.stores.calls;
    const word = await answerOf(() => this.loadPart(load, part));
    // With nothing to clear or to load, Redis is not asked: only 'ready' can tell then.
    if (this.stores.calls === calls) {
      this.unasked = true;
      return undefined;
    }
    const went = rebuildOf(after, Number(worker)).inc > 0;
    return went === (word === "done") ? undefined : `loading ended with '${word}'`;
  }

  private async loadPart(load: Load, part: number): Promise<void> {
    const { ledger } = this.stores.open;
    if (part < 0) {
      await load.clearStock();
      await loadStock({ ledger }, load, await ledger.sales());
      return;
    }
    await load.clearShard(part);
    const journal = {
      ledger,
      isLimited: () => false,
      log: () => undefined,
      check: () => undefined,
    };
    const sinceMs = this.stores.scheduler.nowMs() - DEFAULT_DEDUP_WINDOW_MS;
    const replayed = await loadJournal(journal, part, Math.floor(sinceMs));
    await loadReplayed({ load, shard: part, dedupWindowMs: DEFAULT_DEDUP_WINDOW_MS }, replayed);
  }

  async ready({ args: [worker], after }: Call): Promise<Flaw> {
    const load = this.loads.get(Number(worker)) as Load;
    const word = await answerOf(() => load.ready());
    const opened = SHARDS.every((sh) => shardIn(after, sh).state === "open");
    if (word === "done" && !opened && this.unasked) throw new Parted();
    return opened === (word === "done") ? undefined : `'ready' answered '${word}'`;
  }
}

/** How a step of a rebuild ended. */
async function answerOf(work: () => Promise<void>): Promise<"done" | "overtaken" | "lost"> {
  try {
    await work();
    return "done";
  } catch (error) {
    if (error instanceof Overtaken) return "overtaken";
    if (error instanceof LostWhileLoading) return "lost";
    throw error;
  }
}
