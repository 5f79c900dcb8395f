// A role's metrics in the OpenMetrics format, built from its report on each scrape: the hot path
// pays for no counting beyond its own.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import type { HistogramReport, Overview, RoleReport } from "../domain/report.ts";
import { ignore } from "../runtime/ignored.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { familiesOf } from "./families.ts";
import type { Family, Labels, Sample } from "./family.ts";
import { STORES } from "./stock.ts";

const { version } = JSON.parse(
  readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"),
) as { readonly version: string };

export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
}

export interface MetricsOptions {
  readonly runtime: Runtime;
  readonly report: () => RoleReport;
  /** What only the stores know; if it fails, its metrics are left out. */
  readonly overview?: (() => Promise<Overview>) | undefined;
}

export function metricsOf({ runtime, report, overview }: MetricsOptions): Metrics {
  const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  let now: RoleReport = report();
  let stores: Overview | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  registry.setDefaultLabels({
    role: now.kind,
    ...(now.kind === "gateway" ? { region: now.region } : {}),
    ...(now.kind === "fulfil" ? { service: now.service } : {}),
  });
  const add = <R>(family: Family<R>, subject: () => R | undefined) =>
    registry.registerMetric(new ReportMetric(family, subject) as never);
  for (const family of familiesOf(now.kind)) add(family as Family<RoleReport>, () => now);
  if (overview) for (const family of STORES) add(family, () => stores);
  add<RoleReport>(
    {
      type: "gauge",
      name: "sluice_build_info",
      help: "The running version.",
      samples: () => [[{ version }, 1]],
    },
    () => now,
  );
  return {
    contentType: registry.contentType,
    text: async () => {
      now = report();
      if (overview && runtime.monotonicMs() - lookedMs > FRESH_MS) {
        lookedMs = runtime.monotonicMs();
        stores = await within(runtime, overview(), LOOK_MS);
      }
      return registry.metrics();
    },
  };
}

/**
 * How long one overview serves scrapes. One that takes longer than this is left out, since the
 * scrape has a timeout of its own.
 */
const FRESH_MS = 1_000;
const LOOK_MS = 800;

async function within<T>(runtime: Runtime, look: Promise<T>, ms: number): Promise<T | undefined> {
  return Promise.race([ignore(look, "overview_look"), runtime.sleep(ms).then(() => undefined)]);
}

interface Value {
  readonly labels: Labels;
  readonly value: number;
  readonly metricName?: string;
}

/**
 * The interface prom-client's registry expects of a metric: its values at the time of the scrape.
 */
class ReportMetric<R> {
  readonly aggregator = "sum";

  constructor(
    private readonly family: Family<R>,
    private readonly subject: () => R | undefined,
  ) {}

  /** OpenMetrics names a counter without its suffix; the registry adds `_total` to its samples. */
  get name(): string {
    const { name, type } = this.family;
    return type === "counter" ? name.replace(/_total$/, "") : name;
  }

  get(): { name: string; help: string; type: string; aggregator: string; values: Value[] } {
    const { name } = this;
    const { help, type, samples } = this.family;
    const subject = this.subject();
    const found = subject === undefined ? [] : samples(subject);
    const values =
      "counts" in found
        ? buckets(name, found)
        : (found as readonly Sample[]).map(([labels, value]) => ({ labels, value }));
    return { name, help, type, aggregator: this.aggregator, values };
  }
}

function buckets(name: string, { bounds, counts, sum }: HistogramReport): Value[] {
  let total = 0;
  const values: Value[] = counts.map((count, i) => {
    total += count;
    return { labels: { le: bounds[i] ?? "+Inf" }, value: total, metricName: `${name}_bucket` };
  });
  return [
    ...values,
    { labels: {}, value: sum, metricName: `${name}_sum` },
    { labels: {}, value: total, metricName: `${name}_count` },
  ];
}
