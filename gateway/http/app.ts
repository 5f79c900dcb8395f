// Everything over HTTP except order intake: one Hono app, assembled here.
import { Hono } from "hono";
import { addAdmin } from "../admin/admin.ts";
import { addAdminAudit } from "../admin/admin-audit.ts";
import { addAdminDead } from "../admin/admin-dead.ts";
import { addAdminItems } from "../admin/admin-items.ts";
import { addAdminMe } from "../admin/admin-me.ts";
import { addAdminOrders } from "../admin/admin-orders.ts";
import { addAdminOverview, addAdminUndecided, addAdminWorkers } from "../admin/admin-overview.ts";
import { addAdminRates } from "../admin/admin-rates.ts";
import { addAdminRoutes } from "../admin/admin-routes.ts";
import { addAdminTimeline } from "../admin/admin-timeline.ts";
import { addAdminWebhooks } from "../admin/admin-webhooks.ts";
import { mayWait } from "../admission/late-refusals.ts";
import { addConsole } from "../console/console.ts";
import { addDocs } from "../docs/docs-page.ts";
import { addShop } from "../shop/shop.ts";
import { type App, type AppParts, addressOf } from "./calls.ts";
import { addCancel } from "./cancel-http.ts";
import { addEventStream } from "./event-stream.ts";
import { addHealth, addMetrics } from "./health.ts";
import { oneHost } from "./host.ts";
import { addParts } from "./parts-http.ts";
import { PRIVATE, Problem, problem, Refused } from "./problem.ts";
import { addFeed } from "./read-feed.ts";
import { addOrderReads } from "./read-orders.ts";
import { addRateReads } from "./read-rates.ts";
import { addSaleReads } from "./read-sales.ts";
import { addSkip } from "./skip-http.ts";
import { addStart, notFoundAnswer } from "./start-page.ts";
import { addWebhook } from "./webhook.ts";

export function createApp(parts: AppParts): App {
  const calls = createCalls(parts);
  const app: App = new Hono();
  app.use(async (c, next) => {
    const wrongHost = oneHost(c.req.raw);
    if (wrongHost) return parts.orders.intake.refuse(wrongHost).response();
    await next();
    // What a call says of its own answer counts.
    for (const [name, value] of Object.entries(PRIVATE))
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    const headers = parts.access.origins.headers(c.req.header("origin") ?? null);
    for (const [name, value] of Object.entries(headers ?? {})) c.res.headers.set(name, value);
    if (mayWait(c.res.status)) await parts.access.late.wait(addressOf(parts, c));
  });
  refuseOtherMethods(app, calls, parts);
  app.route("/", calls);
  app.notFound(notFoundAnswer(parts.shop !== undefined));
  app.onError((error, c) => {
    if (error instanceof Refused) return parts.orders.intake.refuse(error.problem).response();
    parts.failures.note({ method: c.req.method, path: c.req.path, error: error.message });
    return problem(isAway(error) ? "unavailable" : "internal").response();
  });
  return app;
}

function createCalls(parts: AppParts): App {
  const app: App = new Hono();
  const { reads } = parts;
  addOrderReads(app, parts);
  addEventStream(app, parts);
  addFeed(app, parts);
  addSkip(app, parts);
  addCancel(app, parts);
  addParts(app, parts);
  addWebhook(app, parts);
  addSaleReads(app, parts);
  addRateReads(app, parts);
  addAdmin(app, parts);
  addAdminMe(app, parts);
  addAdminOverview(app, parts);
  addAdminTimeline(app, parts);
  addAdminOrders(app, parts);
  addAdminAudit(app, parts);
  addAdminItems(app, parts);
  addAdminUndecided(app, parts);
  addAdminWorkers(app, parts);
  addAdminRates(app, parts);
  addAdminRoutes(app, parts);
  addAdminWebhooks(app, parts);
  addAdminDead(app, parts);
  addHealth(app, parts);
  // With a port of their own they are not for clients.
  if (!parts.options.server.metrics)
    addMetrics(app, parts, (c, bytes) => reads.metricBytes.take(addressOf(parts, c), bytes));
  addDocs(app);
  addStart(app, parts.shop !== undefined);
  addConsole(app, parts.options.access.consoleOidc);
  if (parts.shop) addShop(app, parts, parts.shop);
  return app;
}

/**
 * For every known path: OPTIONS answers a browser's preflight, and an unsupported method gets 405
 * with the supported ones. Registered before the calls.
 */
function refuseOtherMethods(
  app: App,
  calls: App,
  { access: { origins }, orders: { intake } }: AppParts,
): void {
  const methods = new Map(RAW_ROUTES.map(({ path, method }) => [path, new Set([method])]));
  for (const { path, method } of calls.routes) {
    if (method === "ALL") continue;
    const known = methods.get(path);
    if (known) known.add(method);
    else methods.set(path, new Set([method]));
  }
  for (const [pattern, known] of methods) {
    const allow = [...known].sort().join(", ");
    const refusal = new Problem("method_not_allowed", undefined, allow, { allow });
    app.use(pattern, async (c, next) => {
      const { method, path } = c.req;
      // /v1/orders/batch is not the order `batch`.
      if (path !== pattern && methods.has(path)) return next();
      if (method === "OPTIONS") {
        const headers = { allow, ...origins.preflight(c.req.header("origin") ?? null) };
        return new Response(null, { status: 204, headers });
      }
      return known.has(method === "HEAD" ? "GET" : method)
        ? next()
        : intake.refuse(refusal).response();
    });
  }
}

/** Served next to this app, directly by Bun (start.ts). */
const RAW_ROUTES = [
  { path: "/v1/orders", method: "POST" },
  { path: "/v1/orders/batch", method: "POST" },
  { path: "/v1/ws", method: "GET" },
];

/** Errors of the ledger, the brokers and Redis (the gateway does not import their classes). */
const AWAY: ReadonlySet<string> = new Set([
  ...["LedgerUnavailable", "BrokerUnavailable", "StoreUnavailable", "StoreRefused"],
]);

function isAway(error: Error): boolean {
  return AWAY.has(error.name);
}
