// Orders with an Idempotency-Key that is no order id. The key's id comes from the ledger; from then
// on the order is like any other, and one id has one effect.

import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import { judgeOrderId } from "../../core/domain/order-id.ts";
import type { Traceparent } from "../../core/domain/trace.ts";
import { uuidV7 } from "../../core/runtime/prng.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Principal } from "../access/auth.ts";
import type { Recipient } from "../intake/batch.ts";
import { isObject } from "../intake/check-order.ts";
import type { Intake } from "../intake/intake.ts";
import type { OrderKeys } from "../intake/order-keys.ts";
import { Problem, problem } from "./problem.ts";

export interface KeyedOrdersOptions {
  readonly keys: OrderKeys;
  readonly intake: Intake;
  readonly ledger: Pick<Ledger, "order">;
  readonly runtime: Runtime;
  readonly clock: () => number;
}

const KEY_IN_USE = problem(
  "conflict",
  "Idempotency-Key",
  "no effect: the key was sent before, with another order",
);
const KEY_TOO_OLD = problem(
  "stale_id",
  "Idempotency-Key",
  "no effect: the key was first sent more than 10 minutes ago, and the ledger has no order of it " +
    "so far",
);

export class KeyedOrders {
  constructor(private readonly options: KeyedOrdersOptions) {}

  /**
   * Publishes the order and notifies the recipient later. Otherwise returns why not, or the id
   * under which the ledger has had it for long.
   */
  async place(
    value: unknown,
    principal: Principal,
    key: string,
    recipient: Recipient,
    trace?: Traceparent,
  ): Promise<Problem | { readonly known: string } | undefined> {
    const { intake, keys, runtime, clock } = this.options;
    const named = isObject(value) && value.id !== undefined;
    const proposed = named ? null : uuidV7(clock(), runtime.random);
    const order = intake.checked(value, principal, proposed);
    if (order instanceof Problem) return order;
    const fingerprint = fingerprintOf(order);
    const held = await keys.claim({ user: order.user, key, id: order.id, fingerprint });
    if (held instanceof Problem) return intake.refuse(held);
    if (held.fingerprint !== fingerprint || (named && held.id !== order.id))
      return intake.refuse(KEY_IN_USE);
    const placed = { ...order, id: held.id };
    if (judgeOrderId(held.id, clock()) === "stale") return this.knownOrTooOld(placed);
    return intake.place(placed, recipient, trace);
  }

  /** What is older than Redis's records may not be published again: only the ledger knows it. */
  private async knownOrTooOld({ user, id }: Order): Promise<Problem | { readonly known: string }> {
    const found = await this.options.ledger.order(user, id);
    return found ? { known: id } : this.options.intake.refuse(KEY_TOO_OLD);
  }
}
