// Periods in which stock cannot be judged. Decisions that Redis lost before the ledger had them
// took units that no journal shows, and after a step back of Redis's clock the order of entries is
// unknown.
import type { LedgerAudit, Seam } from "../../ledger/audit.ts";
import { Spans } from "./spans.ts";
import { CLOCK_MS } from "./tolerances.ts";

export async function doubtsOf(audit: LedgerAudit): Promise<Spans> {
  const rebuilds = await audit.rebuilds();
  const seams = await audit.seams();
  return Spans.of(seams.flatMap((seam) => doubtAt(seam, rebuilds)));
}

function doubtAt(
  { fromMs, toMs, raised }: Seam,
  rebuilds: readonly number[] | undefined,
): [number, number][] {
  if (toMs < fromMs) return [[toMs, fromMs]];
  // A rebuild raises every epoch, and the next owner of the shard raises it again.
  if (raised < 2) return [];
  if (!rebuilds) return [[fromMs, toMs]];
  // Before the first rebuild Redis was closed: so no decision can have been lost.
  const last = rebuilds
    .slice(1)
    .findLast((atMs) => atMs >= fromMs - CLOCK_MS && atMs <= toMs + CLOCK_MS);
  return last === undefined ? [] : [[fromMs, Math.min(toMs, last + CLOCK_MS)]];
}
