// A user's numbered orders in one sale: 1, 2, 3 … They are decided in this order, whichever way
// they come. A number whose order is refused is given up, so that later ones need not wait for it.
import type { Draft, NewOrder, Order } from "./order.ts";
import type { PlaceOptions } from "./placing.ts";
import { Refused } from "./problem.ts";
import type { Waiting } from "./settle.ts";

export interface SequenceOptions {
  /** The number of the next order: one more than the last that was used, 1 at first. */
  readonly next?: number;
  /** Services only: whose numbers. */
  readonly user?: string;
}

export interface Numbering {
  readonly draft: (order: NewOrder, waiting?: Waiting) => Promise<Draft>;
  readonly place: (draft: Draft, options?: PlaceOptions) => Promise<Order>;
  readonly skip: (skip: Skip, waiting?: Waiting) => Promise<void>;
}

export interface Skip {
  readonly saleId: string;
  readonly seq: number;
  readonly user?: string;
}

export class Sequence {
  /** The number that the next order gets. Store it if numbers are to continue after a restart. */
  next: number;

  constructor(
    private readonly numbering: Numbering,
    private readonly saleId: string,
    private readonly options: SequenceOptions,
  ) {
    const { next = 1 } = options;
    if (!Number.isSafeInteger(next) || next < 1)
      throw new RangeError("next must be a whole number from 1");
    this.next = next;
  }

  /** Gives an order its id and number, as data to store before it is placed. */
  async draft(order: Omit<NewOrder, "saleId" | "seq" | "user">, waiting?: Waiting): Promise<Draft> {
    const { user } = this.options;
    const own = { saleId: this.saleId, ...(user === undefined ? {} : { user }) };
    return this.numbering.draft({ ...order, ...own, seq: this.next++ }, waiting);
  }

  /** Places the next order, or a draft of this sequence. */
  async place(
    order: Omit<NewOrder, "saleId" | "seq" | "user"> | Draft,
    options?: PlaceOptions,
  ): Promise<Order> {
    const draft = "id" in order && "seq" in order ? order : await this.draft(order, options);
    try {
      return await this.numbering.place(draft, options);
    } catch (error) {
      if (error instanceof Refused) await this.giveBack(draft.seq as number, options);
      throw error;
    }
  }

  /** A refused order did not use its number: the next one takes it, or it is given up. */
  private async giveBack(seq: number, waiting?: Waiting): Promise<void> {
    if (this.next === seq + 1) this.next = seq;
    else await this.skip(seq, waiting);
  }

  /** Gives up a number for good. */
  skip(seq: number, waiting?: Waiting): Promise<void> {
    const { user } = this.options;
    this.next = Math.max(this.next, seq + 1);
    const skip = { saleId: this.saleId, seq, ...(user === undefined ? {} : { user }) };
    return this.numbering.skip(skip, waiting);
  }
}
