// /metrics, /healthz and /readyz for roles without another server.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../core/domain/message-of.ts";
import type { RoleReport } from "../../core/domain/report.ts";
import { metricsOf } from "../../core/metrics/metrics.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import type { Log } from "../log.ts";

export interface MetricsServerOptions {
  readonly runtime: Runtime;
  readonly report: () => RoleReport;
  /** Required services that are unavailable now; empty: ready. */
  readonly missing: () => readonly string[];
}

export function startMetricsServer(
  { metricsHost, metricsPort }: Settings,
  options: MetricsServerOptions,
  log: Log,
): { stop(): Promise<void> } {
  if (metricsPort === undefined) return { stop: async () => undefined };
  const metrics = metricsOf(options);
  let stopping = false;
  const routes = {
    "/metrics": async (request: Request) => {
      const { text, contentType } = await metrics.page(request.headers.get("accept"));
      return new Response(text, { headers: { "content-type": contentType, vary: "accept" } });
    },
    "/healthz": () => Response.json({ ok: true }),
    "/readyz": () => {
      const missing = stopping ? ["stopping"] : options.missing();
      return Response.json(
        { ok: missing.length === 0, missing },
        { status: missing.length === 0 ? 200 : 503 },
      );
    },
  };
  const server = listen(metricsHost, metricsPort, routes);
  const withdraw = announceMetrics(options.report().id, server.url.host);
  log("metrics", { url: `${server.url.origin}/metrics` });
  return {
    stop: async () => {
      stopping = true;
      withdraw();
      await server.stop(true);
    },
  };
}

type Routes = Record<string, (request: Request) => Response | Promise<Response>>;

function listen(hostname: string, port: number, routes: Routes): ReturnType<typeof Bun.serve> {
  try {
    return Bun.serve({
      hostname,
      port,
      routes,
      fetch: () => Response.json({ code: "not_found" }, { status: 404 }),
    });
  } catch (error) {
    throw new SettingError(
      `SLUICE_METRICS_HOST, SLUICE_METRICS_PORT: cannot listen on ${hostname}:${port}: ` +
        messageOf(error),
    );
  }
}

/**
 * Writes the address of the role's metrics to a file for Prometheus (file_sd), if the roles were
 * started together. Returns a function that removes it.
 */
export function announceMetrics(id: string, address: string): () => void {
  const dir = process.env.SLUICE_METRICS_DIR;
  if (!dir) return () => undefined;
  mkdirSync(dir, { recursive: true });
  // Named after the configured id, so that a replacement overwrites its predecessor's file.
  const file = join(dir, `${process.env.SLUICE_ID ?? id}.json`);
  writeFileSync(file, JSON.stringify([{ targets: [address], labels: { id } }]));
  return () => rmSync(file, { force: true });
}
