// A gateway's metrics and health on a port of their own, where clients do not come.
import { Hono } from "hono";
import { messageOf } from "../../core/domain/message-of.ts";
import { SettingError } from "../../core/settings/settings.ts";
import type { AppParts, Env } from "./calls.ts";
import { addHealth, addMetrics } from "./health.ts";
import { problem } from "./problem.ts";

export interface AdminAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
}

export interface AdminServer {
  /** `http://host:port`, without a trailing slash. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Throws SettingError if the port is not available. */
export function startAdminServer({ host, port }: AdminAddress, parts: AppParts): AdminServer {
  const app = new Hono<Env>();
  addHealth(app, parts);
  addMetrics(app, parts);
  app.notFound(() => problem("not_found").response());
  const server = listen(host, port, app);
  return { url: server.url.href.replace(/\/$/, ""), stop: () => server.stop(true) };
}

function listen(hostname: string, port: number, app: Hono<Env>): ReturnType<typeof Bun.serve> {
  try {
    const fetch = (request: Request) => app.fetch(request, { peer: "" });
    return Bun.serve({ hostname, port, development: false, fetch });
  } catch (error) {
    throw new SettingError(
      `SLUICE_METRICS_HOST, SLUICE_GATEWAY_METRICS_PORT: cannot listen on ${hostname}:${port}: ` +
        messageOf(error),
    );
  }
}
