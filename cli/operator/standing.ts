// Which findings stand. A shard that moves has no owner for a moment, and a count of consumers is
// some seconds old: what would be over before anybody has read it is not said.
import type { Finding, FindingCode, Verdict } from "../../core/domain/finding.ts";
import { verdictOfFindings } from "../../core/domain/verdict.ts";

/** How long a condition must last before it is a finding, ms; others are findings at once. */
const STANDS_MS: Partial<Record<FindingCode, number>> = {
  no_gateway_open: 1_500,
  no_worker: 1_500,
  no_payments: 1_500,
  no_sender: 1_500,
  region_without_gateway: 1_500,
  shards_without_owner: 2_000,
  broker_away: 1_500,
  gateway_closed: 1_500,
  shedding: 3_000,
  orders_wait: 2_000,
  no_consumer: 6_000,
};
/** A condition that was missing in one look is the same one in the next. */
const SAME_MS = 1_500;

export class Standing {
  /** Only those of the last looks, so it is bounded by a verdict. */
  private seen = new Map<string, { readonly firstMs: number; readonly lastMs: number }>();

  /** `nowMs`: monotonic. */
  constructor(private readonly nowMs: () => number) {}

  of({ findings }: Verdict): Verdict {
    const nowMs = this.nowMs();
    const seen = new Map([...this.seen].filter(([, { lastMs }]) => nowMs - lastMs <= SAME_MS));
    for (const finding of findings) {
      const name = nameOf(finding);
      seen.set(name, { firstMs: this.seen.get(name)?.firstMs ?? nowMs, lastMs: nowMs });
    }
    this.seen = seen;
    const stands = (finding: Finding) =>
      nowMs - (seen.get(nameOf(finding))?.firstMs ?? nowMs) >= (STANDS_MS[finding.code] ?? 0);
    return verdictOfFindings(findings.filter(stands));
  }
}

const nameOf = ({ code, subject }: Finding) => `${code} ${subject}`;
