// The frames of the WebSocket as JSON Schema: what docs/websocket.md explains. Used by asyncapi.ts.
import { MAX_SEQ } from "../../core/domain/order.ts";
import {
  ID,
  type Json,
  list,
  name,
  ORDER_ID,
  object,
  ref,
  TIME,
  user,
  whole,
} from "../http/openapi-schemas.ts";
import { DEFAULT_LIMITS } from "../intake/limits.ts";

const REF = { type: "string", maxLength: 64, description: "Chosen by the client; comes back" };
const TRACE = { type: "string", description: "W3C Trace Context" };
const BUYER = user("The buyer; with scope `service` only.");
const CREDIT = {
  ...{ type: "integer", minimum: 0 },
  description: "Orders and skips that may be outstanding",
};
const ORDERS = list(ref("Order"), 1, DEFAULT_LIMITS.ordersPerRequest);
const MAX_FOLLOWED = 100;

/** Members, the required ones, and what the frame is for. */
type Shape = readonly [members: Json, required: readonly string[], summary: string];

export const CLIENT_FRAMES: Readonly<Record<string, Shape>> = {
  auth: [{ token: { type: "string" } }, ["token"], "Authenticate, or renew the token"],
  order: [
    { ref: REF, order: ref("Order"), traceparent: TRACE },
    ["ref", "order"],
    "Place an order",
  ],
  orders: [{ ref: REF, orders: ORDERS, traceparent: TRACE }, ["ref", "orders"], "Place orders"],
  skip: [
    { ref: REF, user: BUYER, saleId: name("The sale"), seq: whole(1, MAX_SEQ) },
    ["ref", "saleId", "seq"],
    "Give up a number",
  ],
  cancel: [{ ref: REF, user: BUYER, id: ORDER_ID }, ["ref", "id"], "Cancel an order"],
  subscribe: [{ saleId: name("The sale") }, ["saleId"], "Watch a sale's stock"],
  unsubscribe: [{ saleId: name("The sale") }, ["saleId"], "Stop watching it"],
  follow: [
    followed(),
    ["orders"],
    "Receive what has happened to orders, and what happens from now on",
  ],
  unfollow: [followed(), ["orders"], "Stop following them"],
  ping: [{}, [], "Answered by `pong`"],
};

function followed(): Json {
  const after = { type: "integer", minimum: -1, description: "The last event received; -1: none" };
  return {
    orders: list(object({ id: ORDER_ID, user: BUYER, after }, ["id"]), 1, MAX_FOLLOWED),
  };
}

/** An array of fixed length, or longer by members that may be absent. */
const tuple = (members: readonly Json[], least: number): Json => ({
  type: "array",
  prefixItems: members,
  minItems: least,
  maxItems: members.length,
});
const STATE = { type: "string", description: "A state, or why a cancel has no effect" };
const HINT = { enum: ["conflict", "not_cancelled"] };
const REGIONS = { type: "string", description: "Regions that may hold it, separated by commas" };
const ECHOED = { type: ["string", "null"], description: "As it was sent, cut to 64 characters" };
const EVENT_NUMBER = whole(0, Number.MAX_SAFE_INTEGER, "Grows within an order");
/** In floods a problem has only what a client acts on. */
const PROBLEM = { anyOf: [ref("Problem"), ref("BriefProblem")] };

export const SERVER_FRAMES: Readonly<Record<string, Shape>> = {
  ready: [
    { user: { type: "string" }, credit: CREDIT },
    ["user", "credit"],
    "The token is good; orders may be sent",
  ],
  acks: [
    {
      acks: list(tuple([REF, { anyOf: [ID, { type: "null" }] }, REGIONS], 2), 1),
      credit: CREDIT,
      estimate: ref("Estimate"),
    },
    ["acks", "credit"],
    "The broker has confirmed these; the id is null for a skip",
  ],
  nacks: [
    { nacks: list(tuple([REF, ECHOED, PROBLEM], 3), 1), credit: CREDIT },
    ["nacks", "credit"],
    "These were not accepted, except perhaps those with `unconfirmed`",
  ],
  outcomes: [
    { outcomes: list(tuple([ORDER_ID, STATE, HINT], 2), 1) },
    ["outcomes"],
    "These are decided, or changed since",
  ],
  events: [
    { events: list(tuple([ORDER_ID, EVENT_NUMBER, { type: "string" }, TIME], 4), 1) },
    ["events"],
    "What happened to followed orders",
  ],
  stock: [
    {
      saleId: name("The sale"),
      items: list(tuple([name("The item"), { type: "integer", minimum: 0 }], 2)),
    },
    ["saleId", "items"],
    "Units available: all items first, then those that changed",
  ],
  lagging: [{ missed: whole(1, Number.MAX_SAFE_INTEGER) }, ["missed"], "Outcomes were dropped"],
  pong: [{}, [], "The answer to `ping`"],
  error: [{ problem: ref("Problem") }, ["problem"], "A frame that belongs to no order was refused"],
};

export function frame(type: string, [members, required]: Shape): Json {
  return object({ type: { const: type }, ...members }, ["type", ...required]);
}

const STALLED = { const: true, description: "Nothing is decided at present: an outage" };

export const FRAME_SCHEMAS: Json = {
  Estimate: object(
    {
      position: { type: "integer", minimum: 0 },
      seconds: { type: "number", minimum: 0 },
      stalled: STALLED,
    },
    ["position", "seconds"],
  ),
  BriefProblem: object(
    {
      code: { enum: ["shed", "rate_limited", "sold_out"] },
      status: { type: "integer" },
      field: { type: "string" },
      estimate: {
        type: "object",
        properties: { seconds: { type: "number", minimum: 0 }, stalled: STALLED },
        required: ["seconds"],
      },
    },
    ["code", "status"],
  ),
};
