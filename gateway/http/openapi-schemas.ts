// The shapes of the HTTP API as JSON Schema, with limits taken from where they are enforced.
import {
  MAX_LINES,
  MAX_METADATA_BYTES,
  MAX_MONEY_MINOR,
  MAX_PAYMENT_LENGTH,
  MAX_QTY,
  MAX_SEQ,
  NAME_PATTERN,
} from "../../core/domain/order.ts";
import { UUID_V7 } from "../../core/domain/order-id.ts";
import { OPEN_STATES, TERMINAL_STATES, WAITS_FOR } from "../../core/domain/outcome.ts";
import { MAX_ITEMS_PER_SALE } from "../../core/domain/sale.ts";
import { MAX_SUBJECT_BYTES } from "../../core/domain/user-name.ts";
import { NAMED_SCHEMAS } from "./openapi-shapes.ts";
import { PROBLEM_CODES } from "./problem.ts";

export type Json = Record<string, unknown>;

export const name = (description: string): Json => ({
  type: "string",
  pattern: NAME_PATTERN.source,
  description,
});
export const user = (description: string): Json => ({
  type: "string",
  minLength: 1,
  maxLength: MAX_SUBJECT_BYTES,
  pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
  description: `${description} At most ${MAX_SUBJECT_BYTES} bytes`,
});
export const whole = (minimum: number, maximum: number, description?: string): Json => ({
  type: "integer",
  minimum,
  maximum,
  description,
});
export const ref = (schema: string): Json => ({ $ref: `#/components/schemas/${schema}` });
export const json = (schema: Json): Json => ({ "application/json": { schema } });
export const ok = (description: string, schema: Json): Json => ({
  description,
  content: json(schema),
});
export const object = (properties: Json, required: string[]): Json => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});
export const list = (items: Json, minItems?: number, maxItems?: number): Json => ({
  type: "array",
  items,
  minItems,
  maxItems,
});
export const headerParameter = (header: string, description: string, schema: Json): Json => ({
  name: header,
  in: "header",
  schema,
  description,
});
/** The reference of an operator's change. */
export const repeatable = (description: string): Json =>
  headerParameter("Idempotency-Key", description, { type: "string", pattern: "^[!-~]{1,128}$" });
export const REPEATABLE = repeatable("Makes it safe to repeat");
export const body = (schema: Json): Json => ({ required: true, content: json(schema) });

export const ID = {
  type: "string",
  format: "uuid",
  pattern: UUID_V7.source,
  description:
    "UUIDv7 in lower case, created by the client; at most 10 minutes old or 1 minute ahead",
};
/** An order of any age. */
export const ORDER_ID = { type: "string", pattern: UUID_V7.source };
export const CURRENCY = ref("Currency");
export const TIME = { type: "string", format: "date-time" };

const UNITS = ["initial", "available", "releasing", "held", "sold"];
const LINES = list(
  object({ sku: name("The item"), qty: whole(1, MAX_QTY) }, ["sku", "qty"]),
  1,
  MAX_LINES,
);
/** No `const`: openapi-python-client makes invalid code of an optional one that is no text. */
const STALLED = { type: "boolean", description: "Nothing is decided at present: an outage" };
const ESTIMATE = object(
  {
    position: { type: "integer", minimum: 0, description: "Undecided orders ahead in its shard" },
    seconds: { type: "number", minimum: 0, description: "About how long until it is decided" },
    stalled: STALLED,
  },
  ["position", "seconds"],
);

const { NewItem, NewSale } = NAMED_SCHEMAS;

export const schemas: Json = {
  ...NAMED_SCHEMAS,
  Order: object(
    {
      id: ID,
      user: user("The buyer; only with service scope. Default: the token's subject."),
      saleId: name("The sale"),
      seq: whole(
        1,
        MAX_SEQ,
        "A user's numbered orders in a sale are processed exactly in this order",
      ),
      currency: CURRENCY,
      lines: LINES,
      payment: {
        type: "string",
        minLength: 1,
        maxLength: MAX_PAYMENT_LENGTH,
        pattern: "^[ -~]+$",
        description: "Opaque token for the payment provider, printable ASCII",
      },
      metadata: {
        type: "object",
        description: `Opaque, at most ${MAX_METADATA_BYTES} bytes of JSON`,
      },
      maxTotal: whole(1, MAX_MONEY_MINOR, "The most the order may cost, in minor units"),
    },
    ["saleId", "currency", "lines"],
  ),
  Accepted: object(
    {
      id: ID,
      status: { const: "accepted" },
      estimate: ESTIMATE,
      region: {
        type: "string",
        description: "The regions that may hold it, if it is not this gateway's own alone",
      },
    },
    ["id", "status"],
  ),
  NotAccepted: object(
    {
      id: {
        type: ["string", "null"],
        description: "As it was sent, cut to 64 characters; null if it was no text",
      },
      problem: ref("Problem"),
    },
    ["id", "problem"],
  ),
  Cancelled: object({ id: ID, status: { enum: ["cancelled", "cancel_pending"] } }, [
    "id",
    "status",
  ]),
  Skip: object(
    {
      user: user("As for an order"),
      saleId: name("The sale"),
      seq: whole(1, MAX_SEQ, "The number to give up"),
    },
    ["saleId", "seq"],
  ),
  Skipped: object(
    { saleId: name("The sale"), seq: whole(1, MAX_SEQ), status: { const: "accepted" } },
    ["saleId", "seq", "status"],
  ),
  OrderStatus: {
    type: "object",
    properties: {
      id: ID,
      user: { type: "string", description: "As the token names them" },
      status: { enum: [...OPEN_STATES, ...TERMINAL_STATES] },
      saleId: name("The sale; absent with `currency` and `lines` while it is accepted"),
      seq: whole(1, MAX_SEQ, "Its number, if it has one"),
      currency: CURRENCY,
      lines: LINES,
      metadata: { type: "object", description: "As it was sent" },
      maxTotal: whole(1, MAX_MONEY_MINOR),
      estimate: { ...ESTIMATE, description: "While it is accepted" },
      amount: {
        type: "integer",
        description: "Its cost in minor units of its currency, once reserved",
      },
      rate: {
        type: "object",
        properties: { id: { type: "string" }, value: { type: "string" } },
        description: "The rate its total was converted at, if any",
      },
      traceId: {
        type: "string",
        pattern: "^[0-9a-f]{32}$",
        description: "The trace of the request, if it named one",
      },
      acceptedAt: TIME,
      waitsFor: {
        enum: [...WAITS_FOR],
        description:
          "What a parked or reserved order requested by id waits for: lower numbers, " +
          "an exchange rate, or the charges of the user's earlier orders",
      },
      decidedAt: { ...TIME, description: "Absent while it is accepted or parked" },
      events: list({
        type: "object",
        properties: {
          at: TIME,
          event: { type: "string" },
          detail: {
            type: "object",
            description: "Of a charge or refund: its attempt and the provider's reason; of a part",
          },
        },
      }),
    },
    required: ["id", "user", "status"],
    additionalProperties: false,
  },
  Sale: {
    ...NewSale,
    properties: { ...NewSale.properties, items: list(ref("Item"), 1, MAX_ITEMS_PER_SALE) },
  },
  SaleList: object(
    {
      sales: list(
        object(
          {
            id: name("The sale"),
            name: { type: "string" },
            currency: CURRENCY,
            status: { enum: ["upcoming", "open", "closed"], description: "As of this answer" },
            items: { type: "integer", minimum: 0, description: "How many items it has" },
            opensAt: TIME,
            closesAt: TIME,
          },
          ["id", "name", "currency", "status", "items", "opensAt", "closesAt"],
        ),
      ),
      before: name("Present if there are more: the next page's `before`"),
    },
    ["sales"],
  ),
  Item: {
    ...NewItem,
    properties: {
      ...NewItem.properties,
      prices: {
        ...list(object({ from: TIME, priceMinor: whole(0, MAX_MONEY_MINOR) }, ["from"])),
        description: "Prices to come, for orders accepted from then on",
      },
      withdrawn: { type: "boolean", description: "New orders for it are refused" },
    },
  },
  Stock: {
    type: "object",
    description: "initial + restocked - corrected = available + releasing + held + sold",
    properties: {
      saleId: { type: "string", description: "With one item alone" },
      sku: name("The item"),
      ...Object.fromEntries(UNITS.map((key) => [key, { type: "integer", minimum: 0 }])),
      restocked: { type: "integer", description: "Units that operators added since the start" },
      corrected: { type: "integer", description: "Units that operators took away; net, if any" },
    },
    required: ["sku", ...UNITS, "restocked"],
    additionalProperties: false,
  },
  Start: object(
    {
      links: {
        type: "object",
        required: ["docs", "openapi", "asyncapi", "sales", "console", "ready"],
        additionalProperties: { type: "string", pattern: "^/" },
      },
    },
    ["links"],
  ),
  Rates: object(
    {
      rates: list(
        object(
          {
            pair: {
              type: "string",
              pattern: "^[A-Z]{3}/[A-Z]{3}$",
              description: "`EUR/JPY`: one euro costs `value` yen",
            },
            value: { type: "string", description: "Decimal, so that no digit is lost" },
            at: TIME,
            until: { ...TIME, description: "No order is decided by it after this" },
          },
          ["pair", "value", "at", "until"],
        ),
      ),
      digits: {
        type: "object",
        additionalProperties: { type: "integer", minimum: 0 },
        description: "Currency → digits of its minor unit",
      },
    },
    ["rates", "digits"],
  ),
  Change: {
    type: "object",
    properties: {
      saleId: { type: "string" },
      ref: { type: "string" },
      result: { enum: ["done", "repeated"] },
      warnings: { ...list({ type: "string" }), description: "What to fix before the sale opens" },
      applied: {
        type: "boolean",
        description: "Whether Redis has it already; otherwise it follows as soon as possible",
      },
    },
  },
  Problem: {
    type: "object",
    description: "RFC 9457",
    properties: {
      type: { type: "string", description: "urn:sluice:problem:<code>" },
      title: { type: "string" },
      status: { type: "integer" },
      code: { enum: PROBLEM_CODES },
      field: { type: "string", description: "The member, parameter, header or claim at fault" },
      detail: { type: "string" },
      estimate: {
        type: "object",
        description:
          "With `shed`, `rate_limited`, and `unavailable` for an order: how long to wait",
        properties: { seconds: { type: "number", minimum: 0 }, stalled: STALLED },
        required: ["seconds"],
      },
    },
    required: ["type", "title", "status", "code"],
    additionalProperties: false,
  },
};
