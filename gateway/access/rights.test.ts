// Every route and frame, tried by every kind of caller: each does what the table allows.
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { bearer, closeGateways, order, start, TestSocket } from "../testing.ts";
import { CALLERS, type Caller, RIGHTS, type Right, rightsTable } from "./rights.ts";

afterEach(closeGateways);

/** The right that a route takes; a new route must be given one here. */
const ROUTES: Record<string, Right> = {
  "POST /v1/orders": "order",
  "POST /v1/orders/batch": "order",
  "POST /v1/orders/skip": "order",
  "DELETE /v1/orders/:id": "order",
  "GET /v1/orders": "read",
  "GET /v1/orders/:id": "read",
  "GET /v1/orders/:id/events": "read",
  "GET /v1/feed": "feed",
  "POST /v1/parts/claim": "serve",
  "POST /v1/parts/done": "serve",
  "GET /v1/ws": "look",
  "POST /v1/payments/webhook": "look",
  "POST /shop/token": "visit",
};
const PUBLIC =
  /^\/(v1\/(sales|rates)(\/|$)|healthz|readyz|metrics|docs|openapi|asyncapi|console|shop|$)/;

function rightOf(method: string, path: string): Right {
  const known = ROUTES[`${method} ${path}`];
  if (known) return known;
  if (path.startsWith("/v1/admin/")) return method === "GET" ? "oversee" : "operate";
  if (method === "GET" && PUBLIC.test(path)) return "look";
  throw new Error(`${method} ${path} has no right`);
}

const allowed = (caller: Caller, right: Right) =>
  (RIGHTS[right].who as readonly Caller[]).includes(caller);

async function headersOf(caller: Caller): Promise<Record<string, string>> {
  if (caller === "anyone") return {};
  return bearer(`a-${caller}`, caller === "buyer" ? {} : { scope: caller });
}

test("every route lets in those whom the table names, and nobody else", async () => {
  const t = await start({ shop: true });
  const routes = t.gateway.app.routes
    .filter(({ method, path }) => method !== "ALL" && path !== "*")
    .map(({ method, path }) => ({ method, path }));
  routes.push({ method: "POST", path: "/v1/orders" }, { method: "POST", path: "/v1/orders/batch" });
  expect(routes.length).toBeGreaterThan(25);
  const tried = await Promise.all(
    CALLERS.flatMap((caller) =>
      routes.map(async ({ method, path }) => {
        const named = path.replace(":id", Bun.randomUUIDv7()).replaceAll(/:\w+/g, "x");
        const headers = { "content-type": "application/json", ...(await headersOf(caller)) };
        const body = method === "GET" ? {} : { body: "{}" };
        const { status } = await fetch(`${t.gateway.url}${named}`, { method, headers, ...body });
        const expected = allowed(caller, rightOf(method, path))
          ? "let in"
          : caller === "anyone"
            ? 401
            : 403;
        // The payment provider's webhook asks for a signature, not for a token.
        const signed = path === "/v1/payments/webhook";
        const got = [401, 403].includes(status) && !signed ? status : "let in";
        return got === expected ? [] : [`${method} ${path} by ${caller}: ${status}`];
      }),
    ),
  );
  expect(tried.flat()).toEqual([]);
}, 20_000);

test("another user's orders are for those whom the table names", async () => {
  const t = await start();
  const id = Bun.randomUUIDv7();
  const { url } = t.gateway;
  for (const caller of CALLERS.filter((c) => c !== "anyone")) {
    const headers = { "content-type": "application/json", ...(await headersOf(caller)) };
    const tried: [Right, string, string, object?][] = [
      ["order_for", "POST", "/v1/orders", order({ user: "ann" })],
      ["order_for", "POST", "/v1/orders/skip", { user: "ann", saleId: "spring", seq: 1 }],
      ["read_for", "GET", "/v1/orders?user=ann"],
      ["read_for", "GET", `/v1/orders/${id}?user=ann`],
      ["read_for", "GET", `/v1/orders/${id}/events?user=ann`],
    ];
    for (const [right, method, path, body] of tried) {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const { status } = await fetch(`${url}${path}`, { method, headers, ...sent });
      expect([caller, path, status !== 403]).toEqual([caller, path, allowed(caller, right)]);
    }
    const scope = caller === "buyer" ? {} : { scope: caller };
    const socket = await TestSocket.open(url, `a-${caller}`, scope);
    socket.send({ type: "order", ref: "1", order: order({ user: "ann" }) });
    socket.send({ type: "skip", ref: "2", user: "ann", saleId: "spring", seq: 2 });
    socket.send({ type: "cancel", ref: "3", user: "ann", id });
    socket.send({ type: "follow", orders: [{ id, user: "ann" }] });
    socket.send({ type: "ping" });
    await socket.next("pong");
    const refused = allowed(caller, "order_for") ? 0 : 1;
    expect(socket.waiting.filter((type) => type === "error")).toHaveLength(refused);
    if (refused) expect((await socket.next("nacks")).nacks).toHaveLength(3);
    else expect((await socket.next("acks")).acks).not.toBeEmpty();
  }
});

test("docs/security.md shows this table", () => {
  const page = readFileSync(`${import.meta.dir}/../../docs/security.md`, "utf8");
  expect(page).toContain(rightsTable());
});
