// /v1/admin/routes: which fulfilment service gets the parts of a category. A change goes to the
// ledger, then to every region's broker.
import type { Context } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import type { Route } from "../../core/domain/part.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { Problem, problem, Refused } from "../http/problem.ts";
import { boolean, matching, name, object, optional, read } from "../http/shape.ts";
import { refOf } from "./changes.ts";

const MAX_BODY_BYTES = 1_024;
const REGION_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
export const region = (description: string) => matching(REGION_PATTERN, undefined, description);
/** `fulfilment.unrouted` is already in use. */
const RESERVED = "unrouted";

const CATEGORY = object({ category: name("The category") });
export const NEW_ROUTE = object({
  service: name("The service"),
  region: optional(region("Only for orders accepted there")),
  new: optional(boolean("The service does not run yet")),
});
export const ROUTE_QUERY = object({
  region: optional(region("The route of orders accepted there; default: of all others")),
});

export function addAdminRoutes(app: App, { options, log }: AppParts): void {
  const { ledger } = options.stores;

  const change = async (c: Context<Env>, route: Route): Promise<Response> => {
    const ref = refOf(c) ?? options.runtime.uuid();
    const operation = { kind: "route" as const, ref, ...route };
    const result = await ledger.operate(operation, c.get("principal").user);
    if (result === "ref_conflict")
      throw new Refused(problem("conflict", "Idempotency-Key", "used for another change"));
    const applied = await options.stores.applyOperation(operation).then(
      () => true,
      (error) => {
        log("route not yet applied", { ref, error: messageOf(error) });
        return false;
      },
    );
    return c.json({ ...route, ref, result, applied });
  };

  app.get("/v1/admin/routes", async (c) => c.json({ routes: await ledger.routes() }));

  app.put("/v1/admin/routes/:category", async (c) => {
    const category = categoryOf(c);
    const asked = read(NEW_ROUTE, await jsonOf(c.req.raw, MAX_BODY_BYTES));
    const { service, region = "", new: isNew = false } = asked;
    if (service === RESERVED) throw new Refused(QUEUE_OF_UNROUTED);
    const known = await options.operator?.services?.();
    if (known && !isNew && !known.includes(service)) throw new Refused(noSuchService(known));
    return change(c, { category, region, service });
  });

  app.delete("/v1/admin/routes/:category", async (c) => {
    const category = categoryOf(c);
    const { region = "" } = read(ROUTE_QUERY, c.req.query());
    return change(c, { category, region, service: "" });
  });
}

function categoryOf(c: Context<Env>): string {
  const { category } = read(CATEGORY, c.req.param());
  c.set("target", category);
  return category;
}

const QUEUE_OF_UNROUTED = problem(
  "out_of_range",
  "service",
  `'${RESERVED}' is the queue of unrouted parts`,
);

const noSuchService = (known: readonly string[]): Problem =>
  new Problem(
    "out_of_range",
    "service",
    `no such service runs or ever had a route; known: ${known.join(", ") || "none"}. ` +
      `If it does not run yet, add "new":true`,
  );
