// Tells the clients' history which orders an operator has redriven: these may have a second
// outcome. An operator finds them on record in the ledger; `verify` judges that record itself.
import { PAYMENTS_DEAD } from "../../broker/topology.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import type { HistoryFile } from "../history-file.ts";

export async function tellRedrives(ledgerUrl: string, events: HistoryFile): Promise<void> {
  const letters = await LedgerAudit.snapshot(realRuntime, ledgerUrl, (audit) => audit.letters());
  for (const { queue, fate, user, id } of letters) {
    if (queue !== PAYMENTS_DEAD || fate !== "redriven") continue;
    events.answer(events.redrive({ client: "operator", user, id }), { status: 200 });
  }
}
