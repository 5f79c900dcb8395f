// What gateways and workers counted in one minute, added up look by look: what a process reported
// before it was killed is counted, and one that has just started counts from its first order.
//
// 1. What a process counted after its last report is lost with it: that minute is incomplete.
import { gatewaysOf, type Reports, workersOf } from "./figures.ts";
import type { GatewayReport, WorkerReport } from "./report.ts";

type Counts = Readonly<Record<string, number>>;
type Counting = GatewayReport | WorkerReport;

export interface MinuteCounts {
  readonly accepted: number;
  readonly paid: number;
  readonly decided: Counts;
  readonly refused: Counts;
  /** 1 */
  readonly incomplete: boolean;
}

/** Clocks of two machines may differ by this much. */
const SLACK_MS = 2_000;
/** Roles report every second. */
const SILENT_MS = 3_000;
/** One that comes back later counts from there. */
const REMEMBERED_MS = 600_000;

export class MinuteTally {
  private readonly known = new Map<string, { report: Counting; reportedMs: number }>();
  private startedMs: number | undefined;
  private lookedMs = 0;
  private sinceMs = 0;
  private sums = noCounts();

  /** Call it only with reports that are of now. */
  look(now: Reports & { readonly atMs: number }): void {
    this.startedMs ??= now.atMs;
    this.lookedMs = now.atMs;
    for (const report of [...gatewaysOf(now), ...workersOf(now)]) {
      const name = `${report.id} ${report.sinceMs}`;
      const before = this.known.get(name);
      if (before || report.sinceMs >= this.startedMs - SLACK_MS)
        add(this.sums, report, before?.report);
      const isOld = before !== undefined && isSame(report, before.report);
      this.known.set(name, { report, reportedMs: isOld ? before.reportedMs : now.atMs });
    }
    for (const [name, { reportedMs }] of this.known)
      if (now.atMs - reportedMs > REMEMBERED_MS) this.known.delete(name);
  }

  /** The counts since the last call, up to the last look. */
  take(): MinuteCounts {
    const fell = [...this.known.values()].some(
      ({ reportedMs }) =>
        this.lookedMs - reportedMs > SILENT_MS && reportedMs >= this.sinceMs - SILENT_MS,
    );
    const counts = { ...this.sums, incomplete: fell };
    this.sums = noCounts();
    this.sinceMs = this.lookedMs;
    return counts;
  }
}

/** The CPU time of a process that runs grows with every report. */
function isSame(a: Counting, b: Counting): boolean {
  return a.cpuSeconds === b.cpuSeconds && a.rssBytes === b.rssBytes;
}

function noCounts() {
  return {
    ...{ accepted: 0, paid: 0 },
    decided: {} as Record<string, number>,
    refused: {} as Record<string, number>,
  };
}

function add(sums: ReturnType<typeof noCounts>, now: Counting, before: Counting | undefined): void {
  if (now.kind === "gateway") {
    const was = before?.kind === "gateway" ? before : undefined;
    sums.accepted += grown(now.rows.confirmed, was?.rows.confirmed);
    addEach(sums.refused, now.refused, was?.refused);
  } else {
    const was = before?.kind === "worker" ? before : undefined;
    sums.paid += grown(now.steps.paid, was?.steps.paid);
    addEach(sums.decided, now.outcomes, was?.outcomes);
  }
}

const grown = (now = 0, before = 0): number => Math.max(0, now - before);

function addEach(sums: Record<string, number>, now: Counts, before: Counts = {}): void {
  for (const [name, n] of Object.entries(now))
    sums[name] = (sums[name] ?? 0) + grown(n, before[name]);
}
