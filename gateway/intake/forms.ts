// Forms: what orders have in common that differ only in their id and user, as most orders of a rush
// do. The text that follows id and user is parsed, checked and hashed once, then found as it is.
//
// 1. The text follows a well-formed id, and perhaps user, directly. So the same text always stands
//    for the same members, none of them twice.
// 2. A form counts only while its sale is the catalogue's present one.
// 3. Forms are bounded in number and length. An order with payment, metadata, a number or a
//    maximum, which may differ each time, leaves none: one client could drive out all other forms.
import { fingerprintOf, NAME_PATTERN, type Order } from "../../core/domain/order.ts";
import { UUID_V7 } from "../../core/domain/order-id.ts";
import type { Principal } from "../access/auth.ts";
import { may } from "../access/rights.ts";
import type { Catalogue, KnownSale } from "../catalogue.ts";
import { Problem } from "../http/problem.ts";
import { checkOrder } from "./check-order.ts";
import { Recent } from "./recent.ts";

export interface Form {
  /** Without id and user. */
  readonly order: Order;
  /** Of every order of this form: it depends on neither id nor user. */
  readonly fingerprint: string;
  readonly sale: KnownSale;
}

/** The start of an order's text, up to its id and user. */
export interface Head {
  readonly id: string;
  /** undefined: not named. */
  readonly user: string | undefined;
  /** Everything behind. */
  readonly rest: string;
}

/** An order of a known form. */
export interface FormedOrder {
  readonly id: string;
  readonly user: string;
  readonly form: Form;
}

/** A rush has a few dozen: each combination of a sale's lines and currencies. */
const MAX_FORMS = 4_096;
/** Characters: some six lines. */
const MAX_REST = 400;

/** Written out, because a spread costs more and every order passes here. */
export function orderOf({ order }: Form, id: string, user: string): Order {
  const { saleId, seq, currency, lines, payment, metadata, maxTotal } = order;
  return { user, id, saleId, seq, currency, lines, payment, metadata, maxTotal };
}

const body = (pattern: RegExp): string => pattern.source.replace(/^\^|\$$/g, "");
/** Matches the start of an order: captures id and user. */
export const ORDER_START =
  `\\{"id":"(${body(UUID_V7)})"` + `(?:,"user":"(${body(NAME_PATTERN)})")?`;

const BODY_START = new RegExp(`^${ORDER_START}`);

export class Forms {
  private readonly forms = new Recent<Form>(MAX_FORMS);

  constructor(private readonly catalogue: Pick<Catalogue, "get">) {}

  /** The order, if its form is known and this caller may place it. */
  of(head: Head, principal: Principal): FormedOrder | undefined {
    const { id, user, rest } = head;
    if (rest.length > MAX_REST || (user !== undefined && !may(principal, "order_for")))
      return undefined;
    const form = this.forms.get(rest);
    if (!form) return undefined;
    const present = this.catalogue.get(form.order.saleId);
    return form.sale === present ? { id, user: user ?? principal.user, form } : undefined; // 2
  }

  /** The start of a body that is an order and nothing else. */
  static headOf(text: string): Head | undefined {
    const match = BODY_START.exec(text);
    if (!match) return undefined;
    const [start, id = "", user] = match;
    return { id, user, rest: text.slice(start.length) };
  }

  /** Remembers the form of an order that was accepted; `value` is the parsed order. */
  learn(head: Head, value: unknown, principal: Principal, nowMs: number): void {
    const { rest, user } = head;
    const raw = value as { user?: unknown; payment?: unknown; metadata?: unknown };
    if (rest.length > MAX_REST || raw.user !== user) return; // 1
    if (raw.payment !== undefined || raw.metadata !== undefined) return; // 3
    const order = checkOrder(value, principal, null, this.catalogue, nowMs);
    if (!(order instanceof Problem) && (order.seq > 0 || order.maxTotal > 0)) return; // 3
    const sale = order instanceof Problem ? undefined : this.catalogue.get(order.saleId);
    if (order instanceof Problem || !sale) return;
    const fingerprint = fingerprintOf(order);
    this.forms.set(rest, { order: { ...order, id: "", user: "" }, fingerprint, sale });
  }
}
