// Batches whose outcomes have not been sent yet, with their recipients. Bounded by orders: the
// oldest batch is forgotten first, and its followers are notified.
import type { Push } from "../../core/domain/push.ts";
import type { Batch, Recipient } from "./batch.ts";
import { Recent } from "./recent.ts";

export class Undecided {
  /** By batch number, oldest first. */
  private readonly batches = new Map<string, Batch>();
  private readonly byShard = new Map<number, Set<Batch>>();
  /** Orders waiting for their number, rate or charge: their later states arrive one by one. */
  private readonly open: Recent<Recipient>;
  /**
   * Later states, comma-separated, of orders whose outcome may not have been sent. The two arrive
   * in separate pushes, perhaps from two workers, and an unconfirmed batch holds its outcomes back.
   */
  private readonly early = new Recent<string>(MAX_EARLY);
  /** Orders remembered. */
  orders = 0;

  constructor(
    private readonly maxOrders: number,
    private readonly options: {
      /** A batch's outcomes have arrived: one word a row. */
      readonly onDecided?: (batch: Batch, words: readonly string[]) => void;
      /** A batch's outcomes will not arrive. */
      readonly onForgotten?: (batch: Batch) => void;
      /** A reserved order has returned its units. */
      readonly onUnitsBack?: () => void;
    } = {},
  ) {
    this.open = new Recent(maxOrders, (loser) => loser.forgotten(1));
  }

  add(batch: Batch): void {
    this.batches.set(batch.number, batch);
    const siblings = this.byShard.get(batch.shard);
    if (siblings) siblings.add(batch);
    else this.byShard.set(batch.shard, new Set([batch]));
    this.orders += batch.size;
    while (this.orders > this.maxOrders && this.batches.size > 1)
      this.forget(this.batches.values().next().value as Batch);
  }

  /**
   * Call when the batch is settled. Delivers outcomes that arrived earlier, or drops a batch that
   * was certainly not sent.
   */
  settled(batch: Batch): void {
    if (batch.verdict === "shed") this.remove(batch);
    else if (batch.early !== undefined) this.tell(batch, batch.early);
  }

  push(push: Push): void {
    for (const [number, outcomes] of push.batches) {
      const batch = this.batches.get(number);
      if (!batch) continue;
      // A client must not receive an order's outcome before its acceptance.
      if (batch.verdict === undefined) batch.early = outcomes;
      else this.tell(batch, outcomes);
    }
    for (const [user, id, state] of push.released) {
      if (UNITS_BACK.has(state)) this.options.onUnitsBack?.();
      const key = `${user} ${id}`;
      const recipient = this.open.get(key);
      if (recipient?.follows) this.change(recipient, user, id, state);
      else if (this.batches.size > 0) {
        const before = this.early.get(key);
        this.early.set(key, before === undefined ? state : `${before},${state}`);
      }
    }
  }

  /**
   * How many orders are ahead of an order that this gateway accepted and that has no outcome yet;
   * undefined for any other order.
   */
  ahead(shard: number, user: string, id: string): number | undefined {
    if (this.open.get(`${user} ${id}`)) return 0;
    let before = 0;
    for (const batch of this.byShard.get(shard) ?? []) {
      const at = batch.verdict === "confirmed" ? batch.indexOf(user, id) : undefined;
      if (at !== undefined) return before + at;
      before += batch.size;
    }
    return undefined;
  }

  /**
   * Batches that this region confirmed, without an outcome, oldest first. Regions before it may
   * hold a batch too, and nobody knows.
   */
  *confirmedBy(region: string, home: string): Generator<Batch> {
    for (const batch of this.batches.values())
      if (batch.verdict === "confirmed" && confirming(batch, home) === region) yield batch;
  }

  private tell(batch: Batch, outcomes: string): void {
    this.remove(batch);
    const words = outcomes.split(",");
    this.options.onDecided?.(batch, words);
    for (let i = 0; i < words.length; i++) {
      const recipient = batch.recipients[i];
      const id = recipient ? batch.idAt(i) : "";
      if (!recipient || id === "") continue;
      const user = batch.userAt(i);
      const word = words[i] as string; // a cast, since every order passes here
      recipient.decided(user, id, word);
      if (WAITS.has(word)) this.follow(recipient, user, id, word);
    }
  }

  /** Expects further states of the order, and delivers those that arrived before its outcome. */
  private follow(recipient: Recipient, user: string, id: string, word: string): void {
    const key = `${user} ${id}`;
    this.open.set(key, recipient);
    const early = this.early.size > 0 ? this.early.get(key) : undefined;
    if (early === undefined) return;
    this.early.delete(key);
    for (const state of early.split(","))
      if (!word.endsWith(state)) this.change(recipient, user, id, state);
  }

  private change(recipient: Recipient, user: string, id: string, state: string): void {
    if (state !== "reserved") this.open.delete(`${user} ${id}`);
    recipient.decided(user, id, state);
  }

  private forget(batch: Batch): void {
    this.remove(batch);
    this.options.onForgotten?.(batch);
    for (const recipient of batch.recipients) recipient?.forgotten(1);
  }

  private remove(batch: Batch): void {
    if (!this.batches.delete(batch.number)) return;
    this.byShard.get(batch.shard)?.delete(batch);
    this.orders -= batch.size;
  }
}

/** The last of the regions that a batch was sent to: it went to no other after its confirm. */
function confirming({ region }: Batch, home: string): string {
  return region?.slice(region.lastIndexOf(",") + 1) ?? home;
}

const UNITS_BACK: ReadonlySet<string> = new Set(["cancelled", "payment_failed", "expired"]);
/** Words after which further states follow: the order waits for its number, rate or charge. */
const WAITS: ReadonlySet<string> = new Set(["parked", "=parked", "reserved", "=reserved"]);
/** Orders whose early states are kept until their outcome: several seconds of pushes. */
const MAX_EARLY = 20_000;
