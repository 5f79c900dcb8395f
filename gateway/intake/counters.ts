// The gateway's counters. Its reports and metrics are made from them.
import type { GatewayReport } from "../../core/domain/report.ts";
import { Histogram } from "../../core/metrics/histogram.ts";
import type { ProblemCode } from "../http/problem.ts";
import type { WebhookOutcome } from "../http/webhook.ts";
import type { Verdict } from "./batch.ts";

export class Counters {
  readonly rows: Record<Verdict, number> = { confirmed: 0, shed: 0, unconfirmed: 0 };
  batches = 0;
  /**
   * Seconds. `confirm`: from publish to confirm, by batch. `outcome`: from acceptance until the
   * outcome arrived, by order.
   */
  readonly confirm = new Histogram();
  readonly outcome = new Histogram();
  /** These exist from the start because a rate misses the first step of a new counter. */
  private readonly refusals = new Map<ProblemCode, number>([
    ["shed", 0],
    ["rate_limited", 0],
    ["sold_out", 0],
  ]);

  /** For lack of file descriptors (gateway/access/descriptors.ts). */
  readonly turnedAway = { sockets: 0, idle: 0, pauses: 0 };

  /** Webhooks by result. */
  private readonly webhooks: Record<WebhookOutcome, number> = {
    taken: 0,
    no_news: 0,
    replay: 0,
    unknown_kind: 0,
    not_ours: 0,
    misfit: 0,
    forged: 0,
    late: 0,
  };

  refused(code: ProblemCode): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  webhook(outcome: WebhookOutcome): void {
    this.webhooks[outcome]++;
  }

  settled(verdict: Verdict, rows: number, seconds: number): void {
    this.confirm.observe(seconds);
    this.rows[verdict] += rows;
    this.batches++;
  }

  report(): Pick<
    GatewayReport,
    "rows" | "batches" | "refused" | "turnedAway" | "webhooks" | "confirm" | "outcome"
  > {
    const { rows, batches, confirm, outcome } = this;
    return {
      rows: { ...rows },
      batches,
      refused: Object.fromEntries(this.refusals),
      turnedAway: { ...this.turnedAway },
      webhooks: { ...this.webhooks },
      confirm: confirm.report(),
      outcome: outcome.report(),
    };
  }
}
