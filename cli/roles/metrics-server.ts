// /metrics, /healthz and /readyz of the roles that serve nothing else.
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
  /** What the role needs and does not have now; none: it is ready. */
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
    "/metrics": async () =>
      new Response(await metrics.text(), { headers: { "content-type": metrics.contentType } }),
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

type Routes = Record<string, () => Response | Promise<Response>>;

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
      `SLUICE_METRICS_HOST, SLUICE_METRICS_PORT: cannot listen at ${hostname}:${port}: ${messageOf(error)}`,
    );
  }
}

/**
 * Where roles were started together, each says for Prometheus (file_sd) where its metrics are.
 * Returns what takes that back.
 */
export function announceMetrics(id: string, address: string): () => void {
  const dir = process.env.SLUICE_METRICS_DIR;
  if (!dir) return () => undefined;
  mkdirSync(dir, { recursive: true });
  // By the name it was started under: one that takes the place of another takes its file, too.
  const file = join(dir, `${process.env.SLUICE_ID ?? id}.json`);
  writeFileSync(file, JSON.stringify([{ targets: [address], labels: { id } }]));
  return () => rmSync(file, { force: true });
}
