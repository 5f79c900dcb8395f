// Waits until every accepted order is decided and recorded: queues, outboxes and follow-ups are
// empty, nothing is parked, and the ledger no longer grows.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { checkRest } from "../verify/checks/rest.ts";
import { Findings } from "../verify/findings.ts";
import type { Views } from "../verify/views.ts";

const LOOK_MS = 100;
/** Consecutive checks with the same result that count as rest. */
const STILL_LOOKS = 3;
/**
 * Queues report ready messages, not those a consumer holds. A killed worker's messages return only
 * after a missed heartbeat and a new lease, so orders found nowhere count as lost only after this.
 */
const DEFAULT_GRACE_MS = 20_000;

/**
 * Returns when the system came to rest (Unix ms) with at least `orders` in the ledger, or without
 * them after `graceMs` of rest; undefined if it did not within `timeoutMs`.
 */
export async function drain(
  ledgerUrl: string,
  views: Views,
  {
    orders,
    timeoutMs,
    graceMs = DEFAULT_GRACE_MS,
    quiet = async () => true,
  }: {
    orders: number;
    timeoutMs: number;
    graceMs?: number;
    /** Whether nothing more will arrive from outside. */
    quiet?: () => Promise<boolean>;
  },
): Promise<number | undefined> {
  const audit = await LedgerAudit.open(realRuntime, ledgerUrl);
  try {
    let last = -1;
    let still = 0;
    let restedAtMs = 0;
    for (
      const end = realRuntime.monotonicMs() + timeoutMs;
      realRuntime.monotonicMs() < end;
      await realRuntime.sleep(LOOK_MS)
    ) {
      const lookedAtMs = performance.timeOrigin + realRuntime.monotonicMs();
      const entries = (await quiet()) ? await atRest(audit, views) : undefined;
      if (entries === undefined || entries !== last) {
        still = 0;
        restedAtMs = lookedAtMs;
      } else if (++still >= STILL_LOOKS) {
        // On a busy machine a look takes much longer than the pause between two.
        if ((await audit.orderCount()) >= orders || lookedAtMs - restedAtMs >= graceMs)
          return restedAtMs;
      }
      last = entries ?? -1;
    }
    return undefined;
  } finally {
    await audit.close();
  }
}

/** Entries recorded so far, or undefined while something is waiting. */
async function atRest(audit: LedgerAudit, { redis, queues }: Views): Promise<number | undefined> {
  const positions = await audit.shards();
  const shards = [];
  for (const { shard } of positions) {
    const { orders, most } = await redis.parked(shard);
    shards.push({
      shard,
      outbox: await redis.outboxLength(shard),
      parked: orders,
      mostParked: most,
    });
  }
  const findings = new Findings();
  const open = {
    followUpsOpen: await audit.followUpsOpen(),
    chargesOpen: await audit.chargesOpen(),
    partsOpen: await audit.partsOpen(),
  };
  checkRest({ queues: await queues.depths(), shards, ...open }, findings);
  return findings.undrained.length > 0
    ? undefined
    : positions.reduce((sum, position) => sum + position.lastN, 0);
}
