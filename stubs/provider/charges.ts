// The stub's charges: captured at most once per key, each with its behaviour.
import { parseChargeKey } from "../../core/domain/charge.ts";
import { chargeAnswer, endless, failed, none, page, redirect } from "./answers.ts";
import { type Behaviour, behaviourFor, coin } from "./behaviour.ts";
import type { Charge, ChargeStatus } from "./book.ts";
import type { Desk } from "./desk.ts";

interface ChargeBody {
  readonly order: string;
  readonly amount: number;
  readonly currency: string;
  readonly payment: string;
}

const RETRY_AFTER_S = "1";
const KEY_FORM = "user/order/generation/attempt, where the order is a UUID: ann/01a2…/1/1";

export class Charges {
  forgiving = false;
  /** Keys whose behaviour has been shown; it is shown once. */
  private readonly shown = new Set<string>();

  constructor(private readonly desk: Desk) {
    // Charges that were pending before a restart still settle.
    for (const charge of desk.book.charges.values())
      if (charge.status === "pending") this.settleLater(charge);
  }

  lookUp(key: string): Response {
    const charge = this.desk.book.charges.get(key);
    return charge ? chargeAnswer(charge, 200) : none(key);
  }

  async charge(request: Request): Promise<Response> {
    const key = request.headers.get("idempotency-key") ?? "";
    const body = (await request.json()) as ChargeBody;
    const attempt = parseChargeKey(key)?.attempt;
    if (attempt === undefined) return failed(400, `the Idempotency-Key must be ${KEY_FORM}`);
    if (!(body.amount > 0)) return failed(400, "the amount must be positive");
    const known = this.desk.book.charges.get(key);
    if (known)
      return known.amount === body.amount && known.currency === body.currency
        ? chargeAnswer(known)
        : failed(409, "the key was used with another amount");
    const { shares } = this.desk;
    const { seed } = this.desk.options;
    const behaviour =
      this.forgiving || this.shown.has(key)
        ? "none"
        : behaviourFor({ key, payment: body.payment, attempt }, shares, seed);
    if (behaviour !== "decline") this.shown.add(key);
    return this.serve(key, body, behaviour);
  }

  private async serve(key: string, body: ChargeBody, behaviour: Behaviour): Promise<Response> {
    const { options } = this.desk;
    const enter = (status: ChargeStatus) => this.enter(key, body, status, behaviour);
    switch (behaviour) {
      case "decline":
        return chargeAnswer(await enter("declined"));
      case "error_before":
        return failed(500, "internal");
      case "error_after":
        await enter("captured");
        return failed(500, "internal");
      case "timeout_before":
        return this.desk.hang();
      case "timeout_after":
        await enter("captured");
        return this.desk.hang();
      case "limited":
        return failed(429, "slow down", { "retry-after": RETRY_AFTER_S });
      case "slow":
        await options.runtime.sleep(this.desk.delays.slowMs);
        return chargeAnswer(await enter("captured"));
      case "pending": {
        const charge = await enter("pending");
        this.settleLater(charge);
        return chargeAnswer(charge);
      }
      case "late_capture": {
        const charge = await enter("pending");
        this.settleLater(charge);
        return coin(key, options.seed) ? chargeAnswer(charge) : failed(500, "internal");
      }
      case "html200":
      case "redirect":
      case "wrong_key":
      case "wrong_amount":
      case "declined200":
      case "huge_answer":
        return this.mislead(key, body, behaviour);
      case "twice":
      case "late":
      case "forged":
      case "disputed":
      case "returned":
      case "refund_refused":
      case "refund_conflict":
      case "refund_error":
      case "refund_pending":
      case "none": {
        const charge = await enter("captured");
        this.followUp(charge);
        return chargeAnswer(charge);
      }
    }
  }

  /** Answers that leave the charge open, though some look definite. */
  private async mislead(key: string, body: ChargeBody, behaviour: Behaviour): Promise<Response> {
    const { amount, currency } = body;
    const made = coin(key, this.desk.options.seed);
    const status = behaviour === "declined200" ? "declined" : "captured";
    if (made) await this.enter(key, body, status, behaviour);
    const captured = { key, amount, currency, status: "captured" };
    switch (behaviour) {
      case "html200":
        return page();
      case "redirect":
        return redirect();
      case "wrong_key":
        return Response.json({ ...captured, key: `${key}0` });
      case "wrong_amount":
        return Response.json({ ...captured, amount: Math.floor(amount / 2) });
      case "declined200":
        return Response.json({ ...captured, status: "declined" });
      default:
        return endless(this.desk.options.runtime);
    }
  }

  /** What the provider later does on its own to a captured charge. */
  private followUp(charge: Charge): void {
    const { webhooks, book } = this.desk;
    switch (charge.behaviour) {
      case "twice":
      case "late":
      case "forged":
        webhooks.send(charge, "captured", charge.behaviour);
        break;
      case "disputed":
        this.desk.later(this.desk.delays.afterwardsMs, async () => {
          if (charge.refund !== "none") return;
          await book.dispute(charge.key);
          webhooks.send(charge, "disputed");
        });
        break;
      case "returned":
        this.desk.later(this.desk.delays.afterwardsMs, async () => {
          if (charge.refund !== "none") return;
          await book.refund(charge, "provider");
          webhooks.send(charge, "refunded");
        });
        break;
    }
  }

  private settleLater(charge: Charge): void {
    const { book, webhooks, delays } = this.desk;
    const late = charge.behaviour === "late_capture";
    this.desk.later(late ? delays.lateCaptureMs : delays.pendingMs, async () => {
      await book.settle(charge.key, "captured");
      if (!late) webhooks.send(charge, "captured");
    });
  }

  private enter(
    key: string,
    { order, amount, currency }: ChargeBody,
    status: ChargeStatus,
    behaviour: Behaviour,
  ): Promise<Charge> {
    return this.desk.book.charge({ key, order, amount, currency, status, behaviour });
  }
}
