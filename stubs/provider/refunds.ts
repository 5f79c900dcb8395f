// The stub's refunds: the whole amount, once per charge, each with the charge's behaviour.
import { failed, none, refundAnswer } from "./answers.ts";
import { coin } from "./behaviour.ts";
import type { Charge } from "./book.ts";
import type { Desk } from "./desk.ts";

interface RefundBody {
  readonly key: string;
  readonly amount: number;
  readonly currency: string;
}

export class Refunds {
  /** Keys whose behaviour has been shown; it is shown once. */
  private readonly shown = new Set<string>();

  constructor(private readonly desk: Desk) {
    for (const charge of desk.book.charges.values())
      if (charge.refund === "pending") this.refundLater(charge);
  }

  lookUp(key: string): Response {
    const charge = this.desk.book.charges.get(key);
    if (!charge || charge.refund === "none") return none(key);
    return refundAnswer(charge, charge.refund, 200);
  }

  async refund(request: Request): Promise<Response> {
    const { key, amount, currency } = (await request.json()) as RefundBody;
    const charge = this.desk.book.charges.get(key);
    if (!charge) return none(key);
    if (charge.refund === "refunded") return refundAnswer(charge, "refunded", 200);
    if (charge.status === "pending") return failed(409, "the charge is pending");
    if (charge.status === "declined") return this.refuse(charge, "the charge was declined");
    if (charge.amount !== amount || charge.currency !== currency)
      return refundAnswer(charge, "refused", 400, "only a full refund is possible");
    if (charge.disputed) return this.refuse(charge, "the charge is disputed");
    return this.serve(charge);
  }

  private async serve(charge: Charge): Promise<Response> {
    const { book, webhooks, options } = this.desk;
    const { key, behaviour } = charge;
    if (behaviour === "refund_refused") return this.refuse(charge, "the refund period has ended");
    const first = !this.shown.has(key);
    this.shown.add(key);
    if (first && behaviour === "refund_conflict")
      return failed(409, "another call with this key is in progress");
    if (first && behaviour === "refund_error") {
      if (coin(key, options.seed)) {
        await book.refund(charge, "request");
        webhooks.send(charge, "refunded");
      }
      return failed(500, "internal");
    }
    if (behaviour === "refund_pending") {
      if (charge.refund === "none") {
        await book.refundPending(key);
        this.refundLater(charge);
      }
      return refundAnswer(charge, "pending", 202);
    }
    await book.refund(charge, "request");
    return refundAnswer(charge, "refunded", 200);
  }

  private async refuse(charge: Charge, reason: string): Promise<Response> {
    if (charge.refund !== "refused") await this.desk.book.refuseRefund(charge.key);
    return refundAnswer(charge, "refused", 400, reason);
  }

  private refundLater(charge: Charge): void {
    const { book, webhooks } = this.desk;
    this.desk.later(this.desk.delays.pendingMs, async () => {
      await book.refund(charge, "request");
      webhooks.send(charge, "refunded");
    });
  }
}
