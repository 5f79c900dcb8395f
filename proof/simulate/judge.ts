// Judges a simulation: whether it has come to rest, and what `verify` then finds.
import type { LedgerAudit } from "../../ledger/audit.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Db } from "../../ledger/db.ts";
import type { HistoryLine } from "../history.ts";
import type { CaptureRecord } from "../verify/checks/charges.ts";
import type { PackedRecord } from "../verify/checks/parts.ts";
import { checkRest } from "../verify/checks/rest.ts";
import { Findings } from "../verify/findings.ts";
import type { QueueView, RedisView } from "../verify/look.ts";
import { type Verdict, verify } from "../verify/verify.ts";
import { WAITS } from "./roles.ts";

/** What can be seen of a simulated world without disturbing it. */
export interface Sight {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly redis: RedisView;
  readonly queues: QueueView;
  readonly captures: () => readonly CaptureRecord[];
  readonly packed: readonly PackedRecord[];
  /** True time, Unix ms. */
  readonly now: () => number;
}

/** Why the system is not at rest; empty: it is. */
export async function waitingIn(sight: Sight, audit: LedgerAudit): Promise<readonly string[]> {
  const { redis, queues } = sight;
  const shards = [];
  for (const { shard } of await audit.shards()) {
    const { orders, most } = await redis.parked(shard);
    const outbox = await redis.outboxLength(shard);
    shards.push({ shard, outbox, parked: orders, mostParked: most });
  }
  const open = {
    followUpsOpen: await audit.followUpsOpen(),
    chargesOpen: await audit.chargesOpen(),
    partsOpen: await audit.partsOpen(),
  };
  const findings = new Findings();
  checkRest({ queues: await queues.depths(), shards, ...open }, findings);
  return findings.undrained;
}

/** Everything that `verify` checks, on a system that should be at rest. */
export function judge(sight: Sight, history: readonly HistoryLine[]): Promise<Verdict> {
  const { db, redis, queues, captures, packed, now } = sight;
  return verify({
    ledgerUrl: db,
    history: [history],
    rules: WAITS,
    ...{ redis, queues, now },
    provider: async () => captures(),
    packed: async () => packed,
  });
}

/** The verdict's violations as short lines. */
export function violationsIn({ violations, result, undrained }: Verdict): string[] {
  const found = violations.map(
    ({ invariant, what, count, examples }) =>
      `${invariant} ${what}${count > 1 ? ` (${count} times)` : ""}: ${examples[0] ?? ""}`,
  );
  if (result === "inconclusive") found.push(`not at rest: ${undrained.join("; ")}`);
  return found;
}
