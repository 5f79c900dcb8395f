// How the frames that clients send are written: their types and members, and the usual form of an
// order, which is read without parsing it.
import { judgeOrderId } from "../../core/domain/order-id.ts";
import type { Principal } from "../access/auth.ts";
import { echo, Problem, problem } from "../http/problem.ts";
import { buyerOf, isObject } from "../intake/check-order.ts";
import { type Head, ORDER_START } from "../intake/forms.ts";
import { readJson } from "../intake/json.ts";

export type Frame = Record<string, unknown>;

/** The members each type of frame may have. */
export const MEMBERS: Record<string, ReadonlySet<string>> = {
  order: new Set(["type", "ref", "order", "traceparent"]),
  orders: new Set(["type", "ref", "orders", "traceparent"]),
  skip: new Set(["type", "ref", "user", "saleId", "seq"]),
  cancel: new Set(["type", "ref", "user", "id"]),
  auth: new Set(["type", "token"]),
  subscribe: new Set(["type", "saleId"]),
  unsubscribe: new Set(["type", "saleId"]),
  follow: new Set(["type", "orders"]),
  unfollow: new Set(["type", "orders"]),
  ping: new Set(["type"]),
};
/**
 * An order up to its id and user, as clients usually write it; any other form is parsed like other
 * frames. Captures the ref as JSON text, id and user.
 */
const ORDER_HEAD = new RegExp(
  /^\{"type":"order","ref":("[ !#-[\]-~]{0,64}"),"order":/.source + ORDER_START,
);

export interface FrameHead extends Head {
  /** JSON text. */
  readonly ref: string;
}

export function headOf(raw: string): FrameHead | undefined {
  const match = ORDER_HEAD.exec(raw);
  if (!match) return undefined;
  const [start, ref = "", id = "", user] = match;
  return { ref, id, user, rest: raw.slice(start.length) };
}

/** A frame with a known type and no unknown members. */
export function readFrame(raw: string | Buffer): Frame | Problem {
  if (typeof raw !== "string") return problem("wrong_type", undefined, "frames are text");
  const frame = readJson(raw);
  if (frame instanceof Problem) return frame;
  if (!isObject(frame)) return problem("not_an_object");
  const { type } = frame;
  if (type === undefined) return problem("missing_field", "type");
  const members =
    typeof type === "string" && Object.hasOwn(MEMBERS, type) ? MEMBERS[type] : undefined;
  if (!members) return problem("out_of_range", "type", Object.keys(MEMBERS).join(", "));
  for (const key in frame) if (!members.has(key)) return new Problem("unknown_field", echo(key));
  return frame;
}

const FOLLOW_FIELDS: ReadonlySet<string> = new Set(["id", "user", "after"]);

export function readFollowed(
  value: unknown,
  principal: Principal,
  nowMs: number,
): { user: string; id: string; after: number } | Problem {
  if (!isObject(value)) return problem("not_an_object");
  for (const key in value)
    if (!FOLLOW_FIELDS.has(key)) return new Problem("unknown_field", echo(key));
  const { id, after = -1 } = value;
  if (typeof id !== "string" || judgeOrderId(id, nowMs) === "malformed")
    return problem("out_of_range", "id", "a UUIDv7 in lower case");
  if (!Number.isSafeInteger(after) || (after as number) < -1)
    return problem("out_of_range", "after", "the number of an event of this order, or -1");
  const user = buyerOf(value, principal);
  return user instanceof Problem ? user : { user, id, after: after as number };
}
