// Batches whose outcomes have not been told yet: who to tell, and which orders this gateway knows
// to be accepted. Bounded by orders; the oldest batch is forgotten first, and those who follow it
// are told.
import type { Push } from "../../core/domain/push.ts";
import type { Batch, Recipient } from "./batch.ts";
import { Recent } from "./recent.ts";

export class Undecided {
  /** By batch number, oldest first. */
  private readonly batches = new Map<string, Batch>();
  private readonly byShard = new Map<number, Set<Batch>>();
  /**
   * Orders that wait for their number, or for their charge: what becomes of them comes one by one.
   */
  private readonly open: Recent<Recipient>;
  /**
   * Later states, with commas between, of orders whose outcome may not have been told yet: the two
   * come by pushes of their own, from two workers perhaps, and a batch without its confirm keeps
   * its outcomes back.
   */
  private readonly early = new Recent<string>(MAX_EARLY);
  /** Orders remembered. */
  orders = 0;

  constructor(
    private readonly maxOrders: number,
    private readonly options: {
      /** A batch's outcomes are here. */
      readonly onDecided?: (batch: Batch) => void;
      /** They will not be heard. */
      readonly onForgotten?: (batch: Batch) => void;
      /** An order that had stock has lost it. */
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
   * Tells what came meanwhile, or drops a batch that is known not to have been sent. Call when the
   * confirm is settled.
   */
  settled(batch: Batch): void {
    if (batch.verdict === "shed") this.remove(batch);
    else if (batch.early !== undefined) this.tell(batch, batch.early);
  }

  push(push: Push): void {
    for (const [number, outcomes] of push.batches) {
      const batch = this.batches.get(number);
      if (!batch) continue;
      // A client must not hear that its order was decided before it hears that it was accepted.
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
   * Of an order that this gateway answered 202 for and whose outcome it has not heard of: how many
   * were taken in before it and wait too.
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

  private tell(batch: Batch, outcomes: string): void {
    this.remove(batch);
    this.options.onDecided?.(batch);
    const words = outcomes.split(",");
    for (let i = 0; i < words.length; i++) {
      const recipient = batch.recipients[i];
      // Casts, since every order comes by here: a batch has as many ids and users as recipients.
      const id = batch.ids[i] as string;
      if (!recipient || id === "") continue;
      const user = batch.users[i] as string;
      const word = words[i] as string;
      recipient.decided(user, id, word);
      if (WAITS.has(word)) this.follow(recipient, user, id, word);
    }
  }

  /** More is to be heard of the order; what came before its outcome is told now. */
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

const UNITS_BACK: ReadonlySet<string> = new Set(["cancelled", "payment_failed", "expired"]);
/**
 * Words after which more is to be heard of an order: it waits for its number or rate, or for its
 * charge.
 */
const WAITS: ReadonlySet<string> = new Set(["parked", "=parked", "reserved", "=reserved"]);
/**
 * Orders whose later states are kept for their outcomes' sake: some seconds' worth of what is
 * pushed.
 */
const MAX_EARLY = 20_000;
