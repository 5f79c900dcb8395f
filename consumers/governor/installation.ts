// Which processes of this machine are of this installation: those of the roles that report
// themselves from here. They may have been started by hand or by `up`.
import { hostname } from "node:os";
import type { ProcessReport } from "../../core/domain/report.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Members } from "../../core/stores/members.ts";
import type { Governing } from "./governing.ts";

/** A new role is a stranger for this long at most, which pauses nobody yet. */
const EVERY_MS = 2_000;

export class Installation {
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly runtime: Runtime,
    private readonly members: Pick<Members, "list" | "roles">,
    private readonly governing: Pick<Governing, "ours">,
    private readonly host = hostname(),
  ) {}

  async refresh(): Promise<void> {
    if (this.runtime.monotonicMs() - this.refreshedAtMs < EVERY_MS) return;
    this.refreshedAtMs = this.runtime.monotonicMs();
    const [{ workers }, roles] = await Promise.all([this.members.list(), this.members.roles()]);
    const reports = [...workers.values(), ...roles.values()];
    this.governing.ours(processesOn(this.host, reports));
  }
}

/** Reports are JSON text. One from another machine, or container, may name any process here. */
export function processesOn(host: string, reports: readonly string[]): number[] {
  return reports
    .map((text) => JSON.parse(text) as Partial<ProcessReport>)
    .flatMap((report) => (report.host === host && report.pid !== undefined ? [report.pid] : []));
}
