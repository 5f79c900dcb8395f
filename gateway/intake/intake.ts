// The hot path: a parsed value becomes an order, and its values go into the columns of its shard's
// next message. There is no promise, copy, text or log line per order.
import type { AnswerWord, Attempt } from "../../core/domain/charge.ts";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import { judgeOrderId } from "../../core/domain/order-id.ts";
import { answerRow, cancelRow, type Row, skipRow, userOf } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";
import type { Traceparent } from "../../core/domain/trace.ts";
import { nameOfUser } from "../../core/domain/user-name.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import type { Admission } from "../admission/admission.ts";
import type { SoldOut } from "../admission/sold-out.ts";
import type { Catalogue } from "../catalogue.ts";
import { Problem, problem, shedSoon } from "../http/problem.ts";
import type { Recipient } from "./batch.ts";
import { checkId, checkOrder, checkSkip } from "./check-order.ts";
import type { Counters } from "./counters.ts";
import { type FormedOrder, orderOf } from "./forms.ts";
import type { KnownBodies } from "./known-bodies.ts";
import type { Lanes } from "./lanes.ts";

export interface IntakeOptions {
  readonly runtime: Runtime;
  readonly shards: number;
  readonly clock: () => number;
  readonly catalogue: Catalogue;
  readonly lanes: Lanes;
  readonly admission: Admission;
  /** undefined: orders for sold-out items are published like others. */
  readonly soldOut?: SoldOut | undefined;
  /** undefined: another body under a known id is decided like a resend, as a conflict. */
  readonly bodies?: KnownBodies | undefined;
  readonly counters: Counters;
}

const SOLD_OUT = problem(
  "sold_out",
  "lines",
  "no effect; an earlier request with this id may have been accepted",
);
const ID_IN_USE = problem(
  "conflict",
  "id",
  "no effect: this gateway has accepted another order under this id",
);
const FUTURE_ID = problem("future_id", "id", "its time is more than 1 minute ahead");
const BAD_ID = problem("out_of_range", "id", "a UUIDv7 in lower case");

export class Intake {
  constructor(private readonly options: IntakeOptions) {}

  /** Whether shuts() may refuse anything. */
  get pressed(): boolean {
    return this.options.admission.pressed;
  }

  /**
   * Why an order of this caller would be refused now, before its body is read. A service orders for
   * users of all shards, unless `user` names one.
   */
  shuts(principal: Principal, user?: string): Problem | undefined {
    const { admission, shards } = this.options;
    if (!may(principal, "order_for")) return admission.shuts(principal.shard);
    return user === undefined ? admission.shutsAll() : admission.shuts(shardOf(user, shards));
  }

  /**
   * Publishes an order and notifies the recipient later. If it is refused, returns why, and it had
   * no effect. Cheap checks come first.
   */
  order(
    value: unknown,
    principal: Principal,
    headerId: string | null,
    recipient: Recipient,
    ref: unknown,
    trace?: Traceparent,
  ): Problem | undefined {
    const order = this.checked(value, principal, headerId);
    if (order instanceof Problem) return order;
    const shard = this.shardOf(order.user, principal);
    return this.publish(shard, order, this.options.clock(), trace, recipient, ref);
  }

  /** An order that may be published now, or why not. Its user has paid for it. */
  checked(value: unknown, principal: Principal, headerId: string | null): Order | Problem {
    const { admission, catalogue, clock } = this.options;
    const buyer = buyerNamed(value, principal);
    const shard = this.shardOf(buyer, principal);
    const refusal = admission.shuts(shard) ?? admission.charge(buyer);
    if (refusal) return this.refuse(refusal);
    const order = checkOrder(value, principal, headerId, catalogue, clock());
    return order instanceof Problem ? this.refuse(order) : order;
  }

  /** Publishes an order that was checked, as order() does. */
  place(order: Order, recipient: Recipient, trace?: Traceparent): Problem | undefined {
    const { clock, shards } = this.options;
    const wrongId = checkId(order.id, clock());
    if (wrongId) return this.refuse(wrongId);
    const shard = shardOf(order.user, shards);
    return this.publish(shard, order, clock(), trace, recipient, undefined);
  }

  /** Publishes an order of a known form, as order() does. */
  formed(
    { id, user, form }: FormedOrder,
    principal: Principal,
    recipient: Recipient,
    ref: unknown,
    nowMs: number,
    trace?: Traceparent,
  ): Problem | undefined {
    const { admission } = this.options;
    const shard = this.shardOf(user, principal);
    const refusal = admission.shuts(shard) ?? admission.charge(user);
    if (refusal) return this.refuse(refusal);
    const wrongId = checkId(id, nowMs);
    if (wrongId) return this.refuse(wrongId);
    const order = orderOf(form, id, user);
    return this.publish(shard, order, nowMs, trace, recipient, ref, form.fingerprint);
  }

  /** Publishes a skip, as order() does. */
  skip(
    value: unknown,
    principal: Principal,
    recipient: Recipient,
    ref: unknown,
  ): Problem | undefined {
    const skip = checkSkip(value, principal, this.options.catalogue);
    if (skip instanceof Problem) return this.refuse(skip);
    const limited = this.options.admission.charge(skip.user);
    if (limited) return this.refuse(limited);
    return this.take(skipRow(skip, this.options.clock()), principal, recipient, ref);
  }

  /**
   * Publishes a cancel, as order() does. It is never shed for its shard's lag, which it shortens.
   */
  cancel(
    value: { user: string; id: unknown },
    principal: Principal,
    recipient: Recipient,
    ref: unknown,
  ): Problem | undefined {
    const nowMs = this.options.clock();
    const { user, id } = value;
    const judged = typeof id === "string" ? judgeOrderId(id, nowMs) : "malformed";
    if (typeof id !== "string" || judged === "malformed") return this.refuse(BAD_ID);
    // Redis keeps a cancel that came before its order for as long as the order may still come.
    if (judged === "future") return this.refuse(FUTURE_ID);
    const limited = this.options.admission.charge(user);
    if (limited) return this.refuse(limited);
    return this.take(cancelRow(user, id, nowMs), principal, recipient, ref);
  }

  /** Publishes the payment provider's answer about a charge. */
  answer(of: Attempt, word: AnswerWord, recipient: Recipient): Problem | undefined {
    const row = answerRow(of, word, "webhook", this.options.clock());
    return this.send(row, shardOf(of.user, this.options.shards), recipient, undefined);
  }

  /** Counts a refusal. */
  refuse(reason: Problem): Problem {
    this.options.counters.refused(reason.code);
    return reason;
  }

  private publish(
    shard: number,
    order: Order,
    nowMs: number,
    trace: Traceparent | undefined,
    recipient: Recipient,
    ref: unknown,
    fingerprint = fingerprintOf(order),
  ): Problem | undefined {
    const { runtime, admission, soldOut, bodies, lanes } = this.options;
    if (bodies?.isOther(order.user, order.id, fingerprint)) return this.refuse(ID_IN_USE);
    if (soldOut && order.seq === 0 && anyOf(order, soldOut)) return this.refuse(SOLD_OUT);
    const closed = admission.closed();
    if (closed) return this.refuse(closed);
    if (!lanes.order(shard, order, nowMs, trace, recipient, ref, fingerprint))
      return this.refuse(shedSoon(runtime.random));
    admission.taken(shard);
    return undefined;
  }

  private shardOf(user: string, principal: Principal): number {
    return user === principal.user ? principal.shard : shardOf(user, this.options.shards);
  }

  private take(
    row: Row,
    principal: Principal,
    recipient: Recipient,
    ref: unknown,
  ): Problem | undefined {
    const user = userOf(row);
    return this.send(row, this.shardOf(user, principal), recipient, ref);
  }

  private send(row: Row, shard: number, recipient: Recipient, ref: unknown): Problem | undefined {
    const { runtime, lanes, admission } = this.options;
    const closed = admission.closed();
    if (closed) return this.refuse(closed);
    if (!lanes.add(shard, row, recipient, ref)) return this.refuse(shedSoon(runtime.random));
    admission.taken(shard);
    return undefined;
  }
}

/**
 * The buyer, whose token bucket pays. Only a service may name another user, and checkOrder refuses
 * an invalid name.
 */
export function buyerNamed(value: unknown, principal: Principal): string {
  const named = may(principal, "order_for")
    ? (value as { user?: unknown } | null)?.user
    : undefined;
  return (typeof named === "string" ? nameOfUser(named) : undefined) ?? principal.user;
}

function anyOf(order: Order, soldOut: SoldOut): boolean {
  const skus = soldOut.of(order.saleId);
  if (skus.size === 0) return false;
  for (const { sku } of order.lines) if (skus.has(sku)) return true;
  return false;
}
