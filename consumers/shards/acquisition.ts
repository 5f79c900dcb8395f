// Acquires a shard whose lease this worker has. The ledger raises the epoch, then Redis. Redis must
// still have the entry that the ledger recorded last. Entries that the ledger lacks are recorded,
// and follow-ups that are not marked are sent again.
//
// 1. The ledger raises the epoch first. From then on it rejects what a former owner decides.
// 2. Nothing new is decided until everything that Redis has decided is recorded.
// 3. A cancelled acquisition ends without a shard.
// 4. No shard of a halted ledger is acquired, whatever Redis has forgotten.
import { at } from "../../core/domain/at.ts";
import { refusalOf } from "../orders/refusal.ts";
import type { OwnerOptions, OwnerStop } from "./owner-options.ts";
import { RecordedMark } from "./recorded-mark.ts";
import { AcquiredShard } from "./shard-owner.ts";

/** Entries read from the outbox in one call while catching up. */
const CATCH_UP = 32;

/** `cancelled`: the shard was released meanwhile. `refused`: Redis or the ledger refused it. */
export type Acquired =
  | { readonly kind: "acquired"; readonly shard: AcquiredShard }
  | { readonly kind: "cancelled" }
  | {
      readonly kind: "refused";
      readonly reason: OwnerStop;
      readonly incarnation: number;
      readonly epoch: number;
    };

const refused = (reason: OwnerStop, of: { incarnation: number; epoch: number }): Acquired => ({
  kind: "refused",
  reason,
  incarnation: of.incarnation,
  epoch: of.epoch,
});

export class Acquisition {
  cancelled = false;

  constructor(private readonly options: OwnerOptions) {}

  get shard(): number {
    return this.options.shard;
  }

  async acquire(): Promise<Acquired> {
    const { ledger, store } = this.options.stores;
    if (await ledger.halt()) return refused("halted", { incarnation: 0, epoch: 0 }); // 4
    const mark = await this.begin();
    const owned = await store.own(mark.claim, ledger.storeId);
    const reason = owned === "owned" ? ((await mark.check()) ?? (await this.catchUp(mark))) : owned;
    if (reason) return refused(reason, mark.claim);
    void this.options.shared.relay.followUps(this.shard);
    if (this.cancelled) return { kind: "cancelled" }; // 3
    return { kind: "acquired", shard: new AcquiredShard(this.options, mark) };
  }

  /** Cancels the acquisition. */
  async close(): Promise<void> {
    this.cancelled = true;
  }

  private async begin(): Promise<RecordedMark> {
    const { options, shard } = this;
    const { ledger, writer } = options.stores;
    const { epoch, lastId, lastN } = await writer.takeShard(shard, options.worker); // 1
    const claim = { shard, incarnation: await ledger.incarnation(), epoch };
    return new RecordedMark(claim, { id: lastId, n: lastN }, options);
  }

  /** 2: records what former owners decided but did not record. */
  private async catchUp(mark: RecordedMark): Promise<OwnerStop | undefined> {
    const { stores, shared } = this.options;
    while (!this.cancelled) {
      const entries = await stores.store.outbox(this.shard, mark.last.n, CATCH_UP);
      if (entries.length === 0) return undefined;
      const results = await Promise.all(
        entries.map((entry) => shared.recorder.record(entry, mark.claim.epoch)),
      );
      for (const [i, entry] of entries.entries()) {
        const result = at(results, i);
        if (result === "recorded") mark.recorded(entry);
        else if (result === "unreadable") mark.unreadable(entry);
        else return refusalOf(result, entry, mark.last.id);
      }
    }
    return undefined;
  }
}
