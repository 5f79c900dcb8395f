// /v1/admin/overview: the whole system at a glance, for the console and `sluice top`.
// /v1/admin/workers/:id/pause and resume: pause or resume a worker by hand.
import type { Overview } from "../../core/domain/overview.ts";
import type { App, AppParts } from "../http/calls.ts";
import { problem, Refused } from "../http/problem.ts";
import { object, optional, read } from "../http/shape.ts";
import { region } from "./admin-routes.ts";

/** Requests from several operators within this time share an answer. */
const FRESH_MS = 250;

export function addAdminOverview(app: App, parts: AppParts): void {
  const { runtime, operator } = parts.options;
  const { monotonicMs } = runtime;
  let last: { readonly atMs: number; readonly answer: Promise<Overview> } | undefined;

  const look = (): Promise<Overview> => {
    if (!operator?.overview) throw new Refused(problem("not_found"));
    if (!last || monotonicMs() - last.atMs > FRESH_MS)
      last = { atMs: monotonicMs(), answer: operator.overview() };
    return last.answer;
  };
  app.get("/v1/admin/overview", async (c) =>
    c.json(await look(), 200, { "cache-control": "no-store" }),
  );
  app.get("/v1/admin/verdict", async (c) => {
    const { atMs, verdict } = await look();
    return c.json({ atMs, verdict }, 200, { "cache-control": "no-store" });
  });
}

export const UNDECIDED_QUERY = object({
  region: optional(region("The region that alone holds them; default: this gateway's")),
});
/** Orders in one answer. */
const MAX_UNDECIDED = 10_000;

/**
 * Orders and cancels that only one region has confirmed to this gateway and whose outcome has not
 * arrived. If the region is lost, so are they.
 */
export function addAdminUndecided(app: App, { options, orders }: AppParts): void {
  const { runtime, clock, server } = options;
  app.get("/v1/admin/undecided", (c) => {
    const { region = server.region } = read(UNDECIDED_QUERY, c.req.query());
    const aheadMs = clock() - runtime.monotonicMs();
    const list = [];
    for (const batch of orders.undecided.confirmedBy(region, server.region)) {
      const acceptedAtMs = Math.round(batch.bornMs + aheadMs);
      for (let i = 0; i < batch.size && list.length < MAX_UNDECIDED; i++)
        if (batch.idAt(i) !== "")
          list.push({
            ...{ user: batch.userAt(i), id: batch.idAt(i), acceptedAtMs },
            ...(batch.isCancelAt(i) ? { cancel: true } : {}),
          });
    }
    // The caller may have reached a gateway other than the one intended.
    const full = list.length === MAX_UNDECIDED;
    return c.json({ gateway: server.id, region, orders: list, full });
  });
}

export function addAdminWorkers(app: App, { options }: AppParts): void {
  for (const what of ["pause", "resume"] as const) {
    app.post(`/v1/admin/workers/:id/${what}`, async (c) => {
      const workers = options.operator?.workers;
      if (!workers)
        throw new Refused(
          problem("not_found", undefined, "this gateway has no access to the workers"),
        );
      const id = c.req.param("id");
      const done = await workers[what](id, c.get("principal").user);
      if (done.length === 0)
        throw new Refused(problem("not_found", "id", "no such worker is running"));
      return c.json({ workers: done, paused: what === "pause" });
    });
  }
}
