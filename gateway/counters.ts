// What the gateway counts, and the text that Prometheus reads (exposition format 0.0.4).
import type { GatewayReport } from "../core/domain/report.ts";
import { Histogram } from "../core/histogram.ts";
import type { Verdict } from "./batch.ts";
import type { ProblemCode } from "./problem.ts";

export class Counters {
  readonly rows: Record<Verdict, number> = { confirmed: 0, shed: 0, unconfirmed: 0 };
  batches = 0;
  /** From publish to confirm, by batches; from the moment an order was taken in until its outcome was heard, by orders. Seconds. */
  readonly confirm = new Histogram();
  readonly outcome = new Histogram();
  private readonly refusals = new Map<ProblemCode, number>();
  /** Read when asked: name, help, value. */
  private readonly gauges: [name: string, help: string, read: () => number][] = [];

  refused(code: ProblemCode): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  settled(verdict: Verdict, rows: number, seconds: number): void {
    this.confirm.observe(seconds);
    this.rows[verdict] += rows;
    this.batches++;
  }

  report(): Pick<GatewayReport, "rows" | "batches" | "refused" | "confirm" | "outcome"> {
    const { rows, batches, confirm, outcome } = this;
    return { rows: { ...rows }, batches, refused: Object.fromEntries(this.refusals), confirm: confirm.report(), outcome: outcome.report() };
  }

  gauge(name: string, help: string, read: () => number): void {
    this.gauges.push([name, help, read]);
  }

  /** Metrics of this gateway, labelled with its name and region. */
  text(labels: { readonly gateway: string; readonly region: string }): string {
    const own = `gateway="${labels.gateway}",region="${labels.region}"`;
    const lines: string[] = [];
    const metric = (name: string, type: string, help: string, samples: [string, number][]) => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [extra, value] of samples) lines.push(`${name}{${own}${extra}} ${value}`);
    };
    const rows = Object.entries(this.rows).map(([v, n]): [string, number] => [`,verdict="${v}"`, n]);
    metric("sluice_gateway_rows_total", "counter", "Orders and skips published, by what became of their batch.", rows);
    metric("sluice_gateway_batches_total", "counter", "Batches handed to the broker.", [["", this.batches]]);
    const refusals = [...this.refusals].map(([code, n]): [string, number] => [`,code="${code}"`, n]);
    metric("sluice_gateway_refused_total", "counter", "Orders, skips and requests refused, by problem.", refusals);
    for (const [name, help, read] of this.gauges) metric(name, "gauge", help, [["", read()]]);
    return `${lines.join("\n")}\n`;
  }
}
