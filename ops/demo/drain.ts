// Waits until all that was accepted has been decided and recorded: queues, outboxes and follow-ups empty, nothing parked, and the ledger
// no longer growing.
import { LedgerAudit } from "../../ledger/audit.ts";
import { checkRest } from "../verify/checks/rest.ts";
import { Findings } from "../verify/findings.ts";
import type { Views } from "../verify/views.ts";

const LOOK_MS = 100;
/** Looks in a row that must find the same: a message may be in a worker's hands between two of them. */
const STILL_LOOKS = 3;

/** Returns when the system came to rest (Unix ms), or undefined if it did not within `timeoutMs`. */
export async function drain(ledgerUrl: string, views: Views, timeoutMs: number): Promise<number | undefined> {
  const audit = await LedgerAudit.open(ledgerUrl);
  try {
    let last = -1;
    let still = 0;
    let restedAtMs = 0;
    for (const end = performance.now() + timeoutMs; performance.now() < end; await Bun.sleep(LOOK_MS)) {
      const lookedAtMs = performance.timeOrigin + performance.now();
      const entries = await atRest(audit, views);
      if (entries === undefined || entries !== last) {
        still = 0;
        restedAtMs = lookedAtMs;
      } else if (++still === STILL_LOOKS) return restedAtMs;
      last = entries ?? -1;
    }
    return undefined;
  } finally {
    await audit.close();
  }
}

/** Entries recorded so far, if nothing is waiting. */
async function atRest(audit: LedgerAudit, { redis, queues }: Views): Promise<number | undefined> {
  const positions = await audit.shards();
  const shards = [];
  for (const { shard } of positions) {
    const { orders, most } = await redis.parked(shard);
    shards.push({ shard, outbox: await redis.outboxLength(shard), parked: orders, mostParked: most });
  }
  const findings = new Findings();
  checkRest({ queues: await queues.depths(), shards, followUpsOpen: await audit.followUpsOpen(), rejected: 0 }, findings);
  return findings.undrained.length > 0 ? undefined : positions.reduce((sum, position) => sum + position.lastN, 0);
}
