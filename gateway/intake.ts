// The hot path: a parsed value becomes an order, the order a row, the row part of its shard's next batch. No promise, no copy and no log
// line per order.
import { answerRowText, type parseChargeKey } from "../core/domain/charge.ts";
import { cancelRowText, orderRowText, skipRowText } from "../core/domain/order.ts";
import { judgeOrderId } from "../core/domain/order-id.ts";
import { shardOf } from "../core/shard.ts";
import type { Principal } from "./auth.ts";
import type { Recipient } from "./batch.ts";
import type { Catalogue } from "./catalogue.ts";
import { checkOrder, checkSkip } from "./check-order.ts";
import type { Counters } from "./counters.ts";
import type { Lanes } from "./lanes.ts";
import { Problem, problem } from "./problem.ts";

export interface IntakeOptions {
  readonly shards: number;
  readonly clock: () => number;
  readonly catalogue: Catalogue;
  readonly lanes: Lanes;
  readonly brokerBlocked: () => boolean;
  readonly counters: Counters;
}

const SHED = problem("shed");
const BAD_ID = problem("out_of_range", "id", "a UUIDv7 in lower case");

export class Intake {
  /** Nothing more is taken in: the gateway is closing. */
  draining = false;

  constructor(private readonly options: IntakeOptions) {}

  /** Sends an order on its way; the recipient will hear. Or says why not: then it had no effect. */
  order(value: unknown, principal: Principal, headerId: string | null, recipient: Recipient, ref: unknown): Problem | undefined {
    const nowMs = this.options.clock();
    const order = checkOrder(value, principal, headerId, this.options.catalogue, nowMs);
    if (order instanceof Problem) return this.refuse(order);
    return this.take(orderRowText(order, nowMs), principal, order.user, order.id, recipient, ref);
  }

  /** Sends a skip on its way, likewise. */
  skip(value: unknown, principal: Principal, recipient: Recipient, ref: unknown): Problem | undefined {
    const skip = checkSkip(value, principal, this.options.catalogue);
    if (skip instanceof Problem) return this.refuse(skip);
    return this.take(skipRowText(skip, this.options.clock()), principal, skip.user, "", recipient, ref);
  }

  /** Sends a cancel on its way, likewise. */
  cancel(value: { user: string; id: unknown }, principal: Principal, recipient: Recipient, ref: unknown): Problem | undefined {
    const nowMs = this.options.clock();
    const { user, id } = value;
    if (typeof id !== "string" || judgeOrderId(id, nowMs) === "malformed") return this.refuse(BAD_ID);
    return this.take(cancelRowText(user, id, nowMs), principal, user, id, recipient, ref);
  }

  /** Sends what the payment provider said of a charge on its way. */
  answer(of: NonNullable<ReturnType<typeof parseChargeKey>>, word: "captured" | "failed", recipient: Recipient): Problem | undefined {
    const row = answerRowText(of, word, "webhook", this.options.clock());
    return this.send(row, shardOf(of.user, this.options.shards), of.user, "", recipient, undefined);
  }

  /** Counts a refusal. */
  refuse(reason: Problem): Problem {
    this.options.counters.refused(reason.code);
    return reason;
  }

  private take(row: string, principal: Principal, user: string, id: string, recipient: Recipient, ref: unknown): Problem | undefined {
    const shard = user === principal.user ? principal.shard : shardOf(user, this.options.shards);
    return this.send(row, shard, user, id, recipient, ref);
  }

  private send(row: string, shard: number, user: string, id: string, recipient: Recipient, ref: unknown): Problem | undefined {
    const { lanes, brokerBlocked } = this.options;
    if (this.draining || brokerBlocked()) return this.refuse(SHED);
    return lanes.add(shard, row, user, id, recipient, ref) ? undefined : this.refuse(SHED);
  }
}
