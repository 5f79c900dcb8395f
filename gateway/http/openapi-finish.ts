// What all calls of the description have in common, added in one place: a name and a tag, the
// headers of each answer, the refusals that any call may get, and examples.
import { headerParameter, type Json } from "./openapi-schemas.ts";

/** What generated clients name each call. */
const NAMES: Record<string, string> = {
  "POST /v1/orders": "placeOrder",
  "GET /v1/orders": "listOrders",
  "POST /v1/orders/batch": "placeOrders",
  "GET /v1/orders/{id}": "showOrder",
  "DELETE /v1/orders/{id}": "cancelOrder",
  "GET /v1/orders/{id}/events": "followOrder",
  "POST /v1/orders/skip": "skipNumber",
  "POST /v1/parts/claim": "claimParts",
  "POST /v1/parts/done": "reportPart",
  "POST /v1/payments/webhook": "reportCharge",
  "GET /v1/sales": "listSales",
  "GET /v1/sales/{sale}": "showSale",
  "GET /v1/sales/{sale}/stock": "showStock",
  "GET /v1/sales/{sale}/stock/{sku}": "showItemStock",
  "GET /v1/rates": "showRates",
  "GET /v1/ws": "openSocket",
  "GET /v1/admin/sales": "listSalesWithStock",
  "POST /v1/admin/sales": "createSale",
  "POST /v1/admin/sales/import": "importSales",
  "POST /v1/admin/sales/{sale}/open": "openSale",
  "POST /v1/admin/sales/{sale}/close": "closeSale",
  "POST /v1/admin/sales/{sale}/restock": "restockItem",
  "POST /v1/admin/sales/{sale}/items": "addItem",
  "POST /v1/admin/sales/{sale}/items/{sku}/correct": "correctUnits",
  "POST /v1/admin/sales/{sale}/items/{sku}/price": "changePrice",
  "POST /v1/admin/sales/{sale}/items/{sku}/limit": "changeLimit",
  "POST /v1/admin/sales/{sale}/items/{sku}/withdraw": "withdrawItem",
  "POST /v1/admin/sales/{sale}/items/{sku}/offer": "offerItem",
  "GET /v1/admin/audit": "listAudit",
  "GET /v1/admin/rates": "listRates",
  "POST /v1/admin/rates/accept": "acceptRate",
  "POST /v1/admin/rates/refuse": "refuseRate",
  "GET /v1/admin/routes": "listRoutes",
  "PUT /v1/admin/routes/{category}": "setRoute",
  "DELETE /v1/admin/routes/{category}": "removeRoute",
  "GET /v1/admin/overview": "showOverview",
  "GET /v1/admin/verdict": "showVerdict",
  "GET /v1/admin/timeline": "listTimeline",
  "GET /v1/admin/history": "listHistory",
  "GET /v1/admin/orders": "searchOrders",
  "GET /v1/admin/orders/{id}": "showOrderStory",
  "GET /v1/admin/undecided": "listUndecided",
  "POST /v1/admin/workers/{id}/pause": "pauseWorker",
  "POST /v1/admin/workers/{id}/resume": "resumeWorker",
  "GET /v1/admin/dead": "listDeadLetters",
  "GET /v1/admin/dead/{id}": "showDeadLetter",
  "POST /v1/admin/dead/redrive": "redriveDeadLetters",
  "POST /v1/admin/dead/drop": "dropDeadLetters",
  "POST /v1/admin/dead/{id}/redrive": "redriveDeadLetter",
  "POST /v1/admin/dead/{id}/drop": "dropDeadLetter",
  "GET /v1/feed": "readFeed",
  "GET /v1/admin/webhooks": "listWebhooks",
  "POST /v1/admin/webhooks": "addWebhook",
  "DELETE /v1/admin/webhooks/{id}": "removeWebhook",
  "POST /v1/admin/webhooks/{id}/pause": "pauseWebhook",
  "POST /v1/admin/webhooks/{id}/resume": "resumeWebhook",
  "GET /v1/admin/webhooks/{id}/deliveries": "listDeliveries",
  "POST /v1/admin/webhooks/{id}/redeliver": "redeliverEvent",
  "GET /v1/admin/me": "showMe",
  "GET /": "showStart",
  "GET /healthz": "checkHealth",
  "GET /readyz": "checkReadiness",
  "GET /metrics": "showMetrics",
};

/** The first that fits. */
const TAGS: readonly [prefix: string, tag: string][] = [
  ["/v1/orders", "Orders"],
  ["/v1/ws", "Orders"],
  ["/v1/sales", "Sales"],
  ["/v1/rates", "Sales"],
  ["/v1/admin", "Operators"],
  ["/v1/feed", "Events"],
  ["/v1/parts", "Services"],
  ["/v1/payments", "Payment provider"],
  ["/", "Health"],
];

export const TAG_LIST = [
  { name: "Orders", description: "Place, read, follow and cancel orders" },
  { name: "Sales", description: "What is for sale, and how much is left; without a token" },
  { name: "Operators", description: "With scope `viewer` to read, `operator` to change" },
  { name: "Events", description: "For other systems; with scope `service` or `operator`" },
  { name: "Services", description: "For services that fulfil orders; with scope `service`" },
  { name: "Payment provider", description: "For the provider's webhooks" },
  { name: "Start", description: "What a gateway's own address shows; without a token" },
  { name: "Health", description: "For load balancers and monitoring; without a token" },
];

const header = (description: string, schema: Json = { type: "string" }): Json => ({
  description,
  schema,
});

/** `components.headers`. */
export const HEADERS: Record<string, Json> = {
  "Cache-Control": header("`no-store`; `no-cache` where there is an ETag"),
  "X-Content-Type-Options": header("`nosniff`"),
  "WWW-Authenticate": header("The challenge, with an error if there was a token"),
  "Retry-After": header("When to try again, in seconds", { type: "integer", minimum: 1 }),
  "Accept-Encoding": header("`identity`, if the body was compressed"),
  Location: header("Where to read the order"),
  ETag: header("Of this answer; for If-None-Match"),
  RateLimit: header('`"user";r=<left>;t=<seconds until full>`, if orders are limited'),
  "RateLimit-Policy": header('`"user";q=<bucket>;w=<seconds to fill>`, if orders are limited'),
};

const ALWAYS = ["Cache-Control", "X-Content-Type-Options"];
/** Answers about orders tell how many more the buyer may place. */
const LIMITED = new Set(["placeOrder"]);
const TAGGED = new Set(["listSales", "showSale", "showStock", "showRates"]);

function headersOf(call: string, status: string): string[] {
  const names = [...ALWAYS];
  if (status === "401") names.push("WWW-Authenticate");
  if (["404", "429", "503"].includes(status)) names.push("Retry-After");
  if (status === "415") names.push("Accept-Encoding");
  if (LIMITED.has(call)) names.push("RateLimit", "RateLimit-Policy");
  if (status === "202" && call === "placeOrder") names.push("Location");
  if (call === "cancelOrder" && /^20/.test(status)) names.push("Location");
  if (TAGGED.has(call) && /^(200|304)$/.test(status)) names.push("ETag");
  return names;
}

/** Refusals that any call may get. */
const ANY_REFUSAL = [400, 500, 503];
/** Of an operator's call, and of one with a body. */
const ADMIN_REFUSAL = [401, 403, 404, 422];
const BODY_REFUSAL = [413, 415, 422];

type Refusals = (...statuses: number[]) => Json;
const IF_NONE_MATCH = headerParameter("If-None-Match", "The ETag of what the reader has", {
  type: "string",
});

interface Call extends Json {
  readonly parameters?: readonly Json[];
  readonly responses: Record<string, Json>;
}

/** The paths with all that. */
export function finished(paths: Json, refusals: Refusals): Json {
  return mapped(paths as Record<string, Record<string, Call>>, (methods, path) =>
    mapped(methods, (call, method) => finishedCall(call, method, path, refusals)),
  );
}

function finishedCall(call: Call, method: string, path: string, refusals: Refusals): Json {
  const of = `${method.toUpperCase()} ${path}`;
  const operationId = NAMES[of];
  if (operationId === undefined) throw new Error(`${of} needs a name: generated clients have it`);
  const tag = TAGS.find(([prefix]) => path.startsWith(prefix))?.[1];
  const more = [
    ...ANY_REFUSAL,
    ...(path.startsWith("/v1/admin") ? ADMIN_REFUSAL : []),
    ...("requestBody" in call ? BODY_REFUSAL : []),
  ];
  const responses = { ...(refusals(...more) as Record<string, Json>), ...call.responses };
  if (TAGGED.has(operationId))
    responses[304] = { description: "Not changed: If-None-Match matches" };
  const parameters = [
    ...(call.parameters ?? []),
    ...(TAGGED.has(operationId) ? [IF_NONE_MATCH] : []),
  ];
  return {
    operationId,
    tags: [tag],
    ...call,
    ...(parameters.length > 0 ? { parameters } : {}),
    responses: mapped(responses, (response, status) =>
      isRefusal(response) && !LIMITED.has(operationId)
        ? { $ref: `#/components/responses/Refusal${status}` }
        : withHeaders(response, operationId, status),
    ),
  };
}

/** `components.responses`: the refusals that most calls share. */
export function sharedRefusals(statuses: readonly number[], refusals: Refusals): Json {
  const all = refusals(...statuses) as Record<string, Json>;
  return Object.fromEntries(
    Object.entries(all).map(([status, refusal]) => [
      `Refusal${status}`,
      withHeaders(refusal, "", status),
    ]),
  );
}

const isRefusal = ({ content }: Json): boolean =>
  content !== undefined && "application/problem+json" in (content as Json);

function withHeaders(response: Json, call: string, status: string): Json {
  const headers = headersOf(call, status).map((name) => [
    name,
    { $ref: `#/components/headers/${name}` },
  ]);
  return { ...response, headers: Object.fromEntries(headers) as Json };
}

/** `postAdminSalesSaleWithdraw` for POST /v1/admin/sales/{sale}/withdraw. */
function mapped<V, R>(
  record: Readonly<Record<string, V>>,
  to: (value: V, key: string) => R,
): Record<string, R> {
  return Object.fromEntries(Object.entries(record).map(([key, v]) => [key, to(v, key)]));
}
