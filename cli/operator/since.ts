// Since when each finding stands, where nothing else shows it: since this gateway first saw it.
import type { Verdict } from "../../core/domain/finding.ts";

export class Since {
  /** Only those of the last verdict, so it is bounded by it. */
  private seen = new Map<string, number>();

  fill(verdict: Verdict, atMs: number): Verdict {
    const seen = new Map<string, number>();
    const findings = verdict.findings.map((finding) => {
      const name = `${finding.code} ${finding.subject}`;
      const sinceMs = finding.sinceMs ?? this.seen.get(name) ?? atMs;
      seen.set(name, sinceMs);
      return { ...finding, sinceMs };
    });
    this.seen = seen;
    return { ...verdict, findings };
  }
}
