// A role's metrics, built from its report on each scrape: the hot path pays for no counting beyond
// its own. They are Prometheus text, or OpenMetrics for a reader that asks for it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import type { Overview } from "../domain/overview.ts";
import type { HistogramReport, RoleReport } from "../domain/report.ts";
import { ignore } from "../runtime/ignored.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { familiesOf } from "./families.ts";
import type { Family, Labels, Sample } from "./family.ts";
import { STORES } from "./stock.ts";

const { version } = JSON.parse(
  readFileSync(join(import.meta.dir, "..", "..", "package.json"), "utf8"),
) as { readonly version: string };

export interface Metrics {
  /** The text in the format that a request's Accept header asks for. */
  page(accept?: string | null): Promise<MetricsPage>;
}

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

type Format = "prometheus" | "openmetrics";
type AnyRegistry = Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>;

export interface MetricsOptions {
  readonly runtime: Runtime;
  readonly report: () => RoleReport;
  /** What only the stores know; if it fails, its metrics are left out. */
  readonly overview?: (() => Promise<Overview>) | undefined;
}

export function metricsOf({ runtime, report, overview }: MetricsOptions): Metrics {
  let now: RoleReport = report();
  let stores: Overview | undefined;
  let lookAgainMs = Number.NEGATIVE_INFINITY;
  const last: Partial<Record<Format, Promise<MetricsPage>>> = {};
  let freshAtMs = 0;
  const registries: Readonly<Record<Format, AnyRegistry>> = {
    prometheus: registryOf("prometheus"),
    openmetrics: registryOf("openmetrics"),
  };
  return {
    page: (accept) => {
      const format = formatOf(accept);
      const nowMs = runtime.monotonicMs();
      const known = last[format];
      if (known && freshAtMs - nowMs > SPARE_MS) return known;
      freshAtMs = Math.max(nowMs, freshAtMs) + EVERY_MS;
      const page = made(registries[format]);
      last[format] = page;
      return page;
    },
  };

  function registryOf(format: Format): AnyRegistry {
    const registry: AnyRegistry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    if (format === "openmetrics") registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    registry.setDefaultLabels({
      role: now.kind,
      ...(now.kind === "gateway" ? { region: now.region } : {}),
      ...(now.kind === "fulfil" ? { service: now.service } : {}),
    });
    const add = <R>(family: Family<R>, subject: () => R | undefined) =>
      registry.registerMetric(new ReportMetric(format, family, subject) as never);
    for (const family of familiesOf(now.kind)) add(family as Family<RoleReport>, () => now);
    if (overview) for (const family of STORES) add(family, () => stores);
    add(BUILD_INFO, () => now);
    return registry;
  }

  async function made(registry: AnyRegistry): Promise<MetricsPage> {
    now = report();
    if (overview && runtime.monotonicMs() >= lookAgainMs)
      stores = await within(runtime, look(overview), LOOK_MS);
    return { contentType: registry.contentType, text: await registry.metrics() };
  }

  /** One at a time, and a long one is followed by a long rest. */
  async function look(overview: () => Promise<Overview>): Promise<Overview> {
    const startedMs = runtime.monotonicMs();
    lookAgainMs = Number.POSITIVE_INFINITY;
    try {
      return await overview();
    } finally {
      const nowMs = runtime.monotonicMs();
      lookAgainMs = Math.max(startedMs + FRESH_MS, nowMs + LOOK_REST * (nowMs - startedMs));
    }
  }
}

const BUILD_INFO: Family<RoleReport> = {
  type: "gauge",
  name: "sluice_build_info",
  help: "The running version.",
  samples: () => [[{ version }, 1]],
};

/** OpenMetrics only for a reader that names it and has not ruled it out with `q=0`. */
function formatOf(accept: string | null | undefined): Format {
  const asked = (accept ?? "")
    .toLowerCase()
    .split(",")
    .map((range) => range.split(";").map((part) => part.trim()))
    .find(([type]) => type === "application/openmetrics-text");
  if (!asked) return "prometheus";
  return asked.some((part) => /^q=0(\.0*)?$/.test(part)) ? "prometheus" : "openmetrics";
}

/**
 * A text takes some milliseconds to make, and anybody may ask for it where it has no port of its
 * own: ten a second are made, and ten more at once, of both formats. Others receive the last one.
 */
const EVERY_MS = 100;
const SPARE_MS = 1_000;

/**
 * How long one overview serves scrapes. One that takes longer than this is left out, since the
 * scrape has a timeout of its own.
 */
const FRESH_MS = 1_000;
const LOOK_MS = 800;
/** A sale of ten thousand items takes long to look at: at most 2% of the time. */
const LOOK_REST = 49;

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
    private readonly format: Format,
    private readonly family: Family<R>,
    private readonly subject: () => R | undefined,
  ) {}

  /** OpenMetrics names a counter without its suffix; the registry adds `_total` to its samples. */
  get name(): string {
    const { name, type } = this.family;
    const bare = this.format === "openmetrics" && type === "counter";
    return bare ? name.replace(/_total$/, "") : name;
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
