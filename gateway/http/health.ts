// /healthz: the process answers. /readyz: it can accept orders. /metrics: for Prometheus.
import type { Context } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import type { App, AppParts, Env } from "./calls.ts";

export function addHealth(app: App, parts: AppParts): void {
  const { options, leaving } = parts;
  const { catalogue } = parts.reads;
  app.get("/healthz", (c) => c.json({ ok: true }));

  app.get("/readyz", async (c) => {
    const { ok, detail } = await options
      .ready()
      .catch((error) => ({ ok: false, detail: { error: messageOf(error) } }));
    const ready = ok && !leaving();
    const body = {
      ok: ready,
      ...detail,
      draining: leaving(),
      catalogueBehind: catalogue.behind,
      brokerBlocked: options.broker.blocked(),
    };
    return c.json(body, ready ? 200 : 503);
  });
}

/** `spend` counts the bytes that are sent, and may refuse them. */
export function addMetrics(
  app: App,
  parts: AppParts,
  spend: (c: Context<Env>, bytes: number) => void = () => undefined,
): void {
  app.get("/metrics", async (c) => {
    const { text, contentType } = await parts.metrics().page(c.req.header("accept"));
    spend(c, text.length);
    return c.body(text, 200, { "content-type": contentType, vary: "accept" });
  });
}
