// One look at the system: a snapshot of the ledger and, beside it, Redis, the brokers, the provider
// and the services. Those cannot be read at the same moment, so they are compared with the ledger
// only if nothing moved from before the first read until after the last:
//
//   1. a clock, and which outboxes are empty: everything decided before is in the ledger
//   2. the ledger's positions, which start its snapshot and bound every check of the ledger
//   3. queues, stock, and the records of the provider and the services
//   4. the outboxes and positions again: `still` if neither has changed
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { LiveStock } from "../../core/stores/stock-store.ts";
import { LedgerAudit, type Position } from "../../ledger/audit.ts";
import type { Db } from "../../ledger/db.ts";
import type { CaptureRecord } from "./checks/charges.ts";
import type { PackedRecord } from "./checks/parts.ts";
import { checkRest, type QueueDepth, type Rest } from "./checks/rest.ts";
import { Findings } from "./findings.ts";
import { CLOCK_MS } from "./tolerances.ts";

/** Read access to Redis. */
export interface RedisView {
  stock(saleId: string): Promise<ReadonlyMap<string, LiveStock> | undefined>;
  outboxLength(shard: number): Promise<number>;
  parked(shard: number): Promise<{ orders: number; most: number }>;
}

/** Read access to the brokers. */
export interface QueueView {
  /** `withLetters`: also reads every dead letter, to distinguish them. */
  depths(withLetters?: boolean): Promise<QueueDepth[]>;
}

export interface Sights {
  /** Its URL, or an open database of this process that nobody writes to meanwhile. */
  readonly ledgerUrl: string | Db;
  readonly redis: RedisView;
  readonly queues: QueueView;
  /** Reads the payment provider's own record, if there is one. */
  readonly provider?: (() => Promise<readonly CaptureRecord[] | undefined>) | undefined;
  /** Reads the fulfilment services' records, if there are any. */
  readonly packed?: (() => Promise<readonly PackedRecord[] | undefined>) | undefined;
  /** For tests: the clock of the clients and of Redis, ms. */
  readonly now?: (() => number) | undefined;
}

export interface Look {
  /** Whatever clients received until then was in the ledger. */
  readonly clockMs: number;
  /** Everything decided until then is in the ledger. */
  readonly horizonMs: number;
  readonly positions: readonly Position[];
  /** Nothing was waiting when each part was read. */
  readonly drained: boolean;
  /** Nothing moved during the look. */
  readonly still: boolean;
  /** Drained and still: everything can be compared. */
  readonly atRest: boolean;
  readonly rest: Rest;
  readonly live: ReadonlyMap<string, ReadonlyMap<string, LiveStock>>;
  readonly captures: readonly CaptureRecord[] | undefined;
  readonly packed: readonly PackedRecord[] | undefined;
}

/** `audit` is a snapshot that has not been queried yet. */
export async function lookAt(sights: Sights, audit: LedgerAudit): Promise<Look> {
  const { ledgerUrl, redis, queues, now = realRuntime.wallMs } = sights;
  const beside = await LedgerAudit.open(realRuntime, ledgerUrl);
  try {
    const shards = (await beside.shards()).map(({ shard }) => shard);
    const beganMs = now();
    const empty = await emptyOutboxes(redis, shards);
    const clockMs = now();
    const positions = await audit.shards();
    const open = await openIn(audit);
    let rest: Rest = {
      queues: await queues.depths(),
      shards: await lanesOf(redis, shards),
      ...open,
    };
    const drained = empty.size === shards.length && isDrained(rest);
    if (drained) rest = { ...rest, queues: await queues.depths(true) };
    const live = await liveStock(redis, audit);
    const captures = drained ? await sights.provider?.() : undefined;
    const packed = drained ? await sights.packed?.() : undefined;
    const still =
      (await emptyOutboxes(redis, shards)).size === shards.length &&
      samePlaces(positions, await beside.shards());
    const atRest = drained && still;
    const horizonMs = atRest
      ? Number.POSITIVE_INFINITY
      : await horizon(audit, positions, empty, beganMs - CLOCK_MS);
    const heardMs = atRest ? clockMs : clockMs - CLOCK_MS;
    const seen = { positions, rest, live, captures, packed };
    return { clockMs: heardMs, horizonMs, drained, still, atRest, ...seen };
  } finally {
    await beside.close();
  }
}

async function emptyOutboxes(redis: RedisView, shards: readonly number[]): Promise<Set<number>> {
  const empty = new Set<number>();
  for (const shard of shards) if ((await redis.outboxLength(shard)) === 0) empty.add(shard);
  return empty;
}

async function lanesOf(redis: RedisView, shards: readonly number[]): Promise<Rest["shards"]> {
  const lanes = [];
  for (const shard of shards) {
    const { orders, most } = await redis.parked(shard);
    const outbox = await redis.outboxLength(shard);
    lanes.push({ shard, outbox, parked: orders, mostParked: most });
  }
  return lanes;
}

async function openIn(
  audit: LedgerAudit,
): Promise<Pick<Rest, "followUpsOpen" | "chargesOpen" | "partsOpen">> {
  return {
    followUpsOpen: await audit.followUpsOpen(),
    chargesOpen: await audit.chargesOpen(),
    partsOpen: await audit.partsOpen(),
  };
}

/** Whether nothing is waiting anywhere. */
function isDrained(rest: Rest): boolean {
  const findings = new Findings();
  checkRest(rest, findings);
  return findings.undrained.length === 0;
}

async function liveStock(
  redis: RedisView,
  audit: LedgerAudit,
): Promise<Map<string, ReadonlyMap<string, LiveStock>>> {
  const live = new Map<string, ReadonlyMap<string, LiveStock>>();
  for (const { id } of await audit.sales()) {
    const stock = await redis.stock(id);
    if (stock) live.set(id, stock);
  }
  return live;
}

function samePlaces(before: readonly Position[], after: readonly Position[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ lastId, epoch }, i) => lastId === after[i]?.lastId && epoch === after[i]?.epoch)
  );
}

/**
 * A shard's decisions are in the ledger up to its last entry, or until its outbox was seen empty.
 */
async function horizon(
  audit: LedgerAudit,
  positions: readonly Position[],
  empty: ReadonlySet<number>,
  emptyAtMs: number,
): Promise<number> {
  const last = await audit.lastEntryTimes();
  const ends = positions.map(({ shard }) =>
    Math.max(last.get(shard) ?? Number.NEGATIVE_INFINITY, empty.has(shard) ? emptyAtMs : 0),
  );
  return Math.min(...ends);
}
