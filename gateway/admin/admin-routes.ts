// /v1/admin/routes: which fulfilment service gets the parts of a category. A change goes to the
// ledger, then to every region's broker.
import type { Context } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import { NAME_PATTERN } from "../../core/domain/order.ts";
import type { Route } from "../../core/domain/part.ts";
import { type App, type AppParts, type Env, jsonOf } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { refOf } from "./changes.ts";
import { Fields } from "./fields.ts";

const MAX_BODY_BYTES = 1_024;
const REGION_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
/** `fulfilment.unrouted` is already in use. */
const RESERVED = "unrouted";

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
    const fields = Fields.of(await jsonOf(c.req.raw, MAX_BODY_BYTES), [
      ...["service", "region", "new"],
    ]);
    const service = fields.name("service");
    if (service === RESERVED)
      fields.refuse("out_of_range", "service", `'${RESERVED}' is the queue of unrouted parts`);
    const known = await options.operator?.services?.();
    if (known && !fields.isTrue("new") && !known.includes(service))
      fields.refuse(
        "out_of_range",
        "service",
        `no such service runs or ever had a route; known: ${known.join(", ") || "none"}. ` +
          `For one that is yet to come, add "new":true`,
      );
    return change(c, {
      category,
      region: fields.has("region") ? regionOf(fields.name("region")) : "",
      service,
    });
  });

  app.delete("/v1/admin/routes/:category", async (c) => {
    const region = c.req.query("region");
    return change(c, {
      category: categoryOf(c),
      region: region === undefined ? "" : regionOf(region),
      service: "",
    });
  });
}

function categoryOf(c: Context<Env>): string {
  const category = c.req.param("category") as string;
  if (!NAME_PATTERN.test(category))
    throw new Refused(problem("out_of_range", "category", `must match ${NAME_PATTERN.source}`));
  c.set("target", category);
  return category;
}

/** A region's name. Throws Refused. */
export function regionOf(region: string): string {
  if (!REGION_PATTERN.test(region))
    throw new Refused(problem("out_of_range", "region", `must match ${REGION_PATTERN.source}`));
  return region;
}
