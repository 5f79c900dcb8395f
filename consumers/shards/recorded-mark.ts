// How far the ledger has recorded a shard, and what happens for each entry that it has recorded.
//
// 1. The mark moves only to entries that the ledger has settled, in their order.
// 2. Redis receives the mark, because returned units wait for it. Under load it receives only the
//    newest one, at a pace (core/runtime/pacer.ts). If that call is lost, the next entry or the
//    next check repeats it.
// 3. What an entry causes (charges, refunds, parts, dead letters, rate requests) is sent only once
//    the ledger has the entry.
import { ORDERS_DEAD } from "../../broker/topology.ts";
import type { Entry } from "../../core/domain/entry.ts";
import { type Tally, tallyOf } from "../../core/domain/words.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Claim, Waits } from "../../core/stores/shard-store.ts";
import type { OwnerOptions, OwnerStop } from "./owner-options.ts";

export interface Recorded {
  readonly id: string;
  readonly n: number;
}

export class RecordedMark {
  /** What waited in Redis at the last check. */
  waits: Waits = new Set();
  private readonly report = () => this.reportToRedis();

  constructor(
    readonly claim: Claim,
    /** The last entry that the ledger has. */
    public last: Recorded,
    private readonly options: Pick<OwnerOptions, "stores" | "shared" | "clock" | "log">,
  ) {}

  /** Whether Redis and the ledger still agree about the shard. */
  async check(): Promise<OwnerStop | undefined> {
    const { stores, clock } = this.options;
    const { id, n } = this.last;
    const { word, waits } = await stores.store.check(this.claim, id, n, clock.bounds());
    this.waits = waits;
    if (word === "behind")
      this.reportToRedis(); // 2: the last call may have been lost
    else if (word !== "whole") return word;
    return undefined;
  }

  /** `words`: the tally of its outcomes, if the caller has it. */
  recorded(entry: Entry, words = tallyOf(entry.messages)): void {
    const { askRates, relay } = this.options.shared;
    const pairs = new Set(
      entry.steps.flatMap((step) => (step.what === "rate_wait" ? [step.pair] : [])),
    );
    if (pairs.size > 0) askRates([...pairs]); // 3
    this.moveTo(entry);
    if (hasFollowUps(entry, words)) void relay.followUps(entry.shard); // 3
  }

  /** The ledger kept the entry's text as a dead letter, so nothing is lost. The shard continues. */
  unreadable(entry: Entry): void {
    const { shard, n, id } = entry;
    const { counts, relay } = this.options.shared;
    counts.unreadable++;
    this.options.log("entry unreadable", { shard, n, id, letter: ORDERS_DEAD });
    this.moveTo(entry);
    void relay.followUps(shard); // 3
  }

  private moveTo({ id, n }: Entry): void {
    this.last = { id, n }; // 1
    const { markPacer } = this.options.shared;
    markPacer.carried(1);
    markPacer.enter(this.report);
  }

  /** Reports at once what still waits for its turn. */
  flush(): void {
    this.options.shared.markPacer.hurry(this.report);
  }

  private reportToRedis(): void {
    const { id, n } = this.last;
    this.options.shared.markPacer.started();
    void ignore(this.options.stores.store.recorded(this.claim, id, n), "recorded_mark"); // 2
  }
}

const ASKING: ReadonlySet<string> = new Set(["start", "paid", "payment_failed", "refund"]);
const ASKING_WORDS = ["reserved", "+reserved", "rejected", "+late"];

/**
 * Whether the ledger may have follow-ups of this entry (ledger/sheet.ts, ledger/steps.ts): charges,
 * refunds, dead letters, parts.
 */
function hasFollowUps({ released, steps }: Entry, words: Tally): boolean {
  if (steps.some(({ what }) => ASKING.has(what))) return true;
  if (released.some(({ state }) => state === "reserved")) return true;
  return ASKING_WORDS.some((word) => words.has(word));
}
