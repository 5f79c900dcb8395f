// The input of a verdict, and its findings before the table of findings adds its part.
import type { FindingCode } from "./finding.ts";
import type { Overview } from "./overview.ts";
import type { RoleReport } from "./report.ts";

/** What a verdict is made of. */
export type Facts = Omit<Overview, "verdict"> & {
  /** Refunds and charges to be settled by hand, as last counted; absent: as the reports say. */
  readonly owed?: number | undefined;
};

/** A finding before its table's part is added. */
export interface Seen {
  readonly code: FindingCode;
  readonly subject?: string;
  readonly what: string;
  readonly sinceMs?: number | null;
  /** Where this case differs from its kind in the table. */
  readonly affects?: string;
  readonly next?: string;
}

export const ofKind = <K extends RoleReport["kind"]>({ roles }: Facts, kind: K) =>
  roles.filter((r): r is Extract<RoleReport, { kind: K }> => r.kind === kind);
