// /healthz: the process answers. /readyz: it can take orders in. /metrics: for Prometheus.
import type { App, AppParts } from "./calls.ts";

export function addHealth(app: App, { options, intake, catalogue, counters }: AppParts): void {
  app.get("/healthz", (c) => c.json({ ok: true }));

  app.get("/readyz", async (c) => {
    const { ok, detail } = await options.ready().catch((error: Error) => ({ ok: false, detail: { error: error.message } }));
    const ready = ok && !intake.draining;
    const body = {
      ok: ready,
      ...detail,
      draining: intake.draining,
      catalogueBehind: catalogue.behind,
      brokerBlocked: options.broker.blocked(),
    };
    return c.json(body, ready ? 200 : 503);
  });

  app.get("/metrics", (c) =>
    c.body(counters.text({ gateway: options.id, region: options.region }), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
}
