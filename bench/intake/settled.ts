// Whether everything that was accepted has been finished: the outboxes are empty, and no message of
// the shards or of the charges waits in RabbitMQ, neither ready nor unacknowledged.
import { at } from "../../core/domain/at.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { outboxKey } from "../../core/stores/keys.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Stack } from "../../proof/demo/stack.ts";

/** Something unfinished: a queue, or the outboxes. */
export interface Waiting {
  readonly where: string;
  readonly ready: number;
  readonly unacknowledged: number;
}

export interface Settling {
  /** Entries in the outboxes of all shards. */
  outboxes(): Promise<number>;
  queues(): Promise<Depth[]>;
}

export interface Depth extends Waiting {
  readonly consumers: number;
}

export interface Patience {
  readonly timeoutMs: number;
  readonly lookMs: number;
  /** How long outboxes must be empty before the queues are looked at. */
  readonly stillMs: number;
  readonly queueLookMs: number;
}

/**
 * A quorum queue reports its counts every 5 s (RabbitMQ's `quorum_tick_interval`). The queues are
 * looked at once the outboxes have been empty for longer, so their counts are not from before.
 */
const PATIENCE: Patience = { timeoutMs: 180_000, lookMs: 100, stillMs: 5_500, queueLookMs: 1_000 };

const SHARDS = /^orders\.\d+$/;
const CHARGES = /^payments(\.retry\.\d+)?$/;
const DEAD = /^(orders|payments)\.dead$/;

/** Empty looks in a row that count as recorded: between batches an outbox may be empty. */
const STILL_LOOKS = 10;

/** Resolves once the outboxes stay empty, or when the time is over; it looks at no queue. */
export async function recorded(stack: Stack, redis: RedisStore): Promise<void> {
  const end = realRuntime.monotonicMs() + PATIENCE.timeoutMs;
  for (let still = 0; still < STILL_LOOKS && realRuntime.monotonicMs() < end; ) {
    still = (await outboxesOf(redis, stack.shards)) === 0 ? still + 1 : 0;
    await realRuntime.sleep(PATIENCE.lookMs);
  }
}

/** Resolves once nothing waits, or with what still waits when the time is over. */
export async function settled(stack: Stack, redis: RedisStore): Promise<Waiting[]> {
  return untilSettled({
    outboxes: () => outboxesOf(redis, stack.shards),
    queues: () => queuesOf(stack),
  });
}

export async function untilSettled(
  { outboxes, queues }: Settling,
  { timeoutMs, lookMs, stillMs, queueLookMs }: Patience = PATIENCE,
): Promise<Waiting[]> {
  const end = realRuntime.monotonicMs() + timeoutMs;
  let emptySinceMs: number | undefined;
  while (true) {
    const nowMs = realRuntime.monotonicMs();
    const unrecorded = await outboxes();
    if (unrecorded > 0) emptySinceMs = undefined;
    else emptySinceMs ??= nowMs;
    const still = emptySinceMs !== undefined && nowMs - emptySinceMs >= stillMs;
    if (still || nowMs > end) {
      const depths = await queues();
      const open = pending(depths);
      if (unrecorded > 0) open.push({ where: "outboxes", ready: unrecorded, unacknowledged: 0 });
      if (open.length === 0 || nowMs > end) return [...open, ...dead(depths)];
    }
    await realRuntime.sleep(still ? queueLookMs : lookMs);
  }
}

/** If no payment worker runs, nothing will take the charges, so they do not count. */
function pending(depths: readonly Depth[]): Waiting[] {
  const charging = depths.some(({ where, consumers }) => where === "payments" && consumers > 0);
  return depths
    .filter(({ where }) => SHARDS.test(where) || (charging && CHARGES.test(where)))
    .filter(some)
    .map(waitingOf);
}

/** Nothing removes dead letters, so there is nothing to wait for. */
function dead(depths: readonly Depth[]): Waiting[] {
  return depths
    .filter(({ where }) => DEAD.test(where))
    .filter(some)
    .map(waitingOf);
}

const some = ({ ready, unacknowledged }: Waiting): boolean => ready + unacknowledged > 0;
const waitingOf = ({ where, ready, unacknowledged }: Depth): Waiting => ({
  where,
  ready,
  unacknowledged,
});

async function outboxesOf(redis: RedisStore, shards: number): Promise<number> {
  const lengths = await Promise.all(
    Array.from({ length: shards }, (_, shard) =>
      redis.run((client) => client.xlen(outboxKey(shard))),
    ),
  );
  return lengths.reduce((sum, length) => sum + length, 0);
}

/** The depths of all queues of all regions, as rabbitmqctl reports them; added up by name. */
export async function queuesOf({ services }: Pick<Stack, "services">) {
  const columns = ["name", "messages_ready", "messages_unacknowledged", "consumers"];
  const depths = new Map<string, Depth>();
  for (const { region: vhost, nodes } of services.brokers?.regions ?? []) {
    const text = await at(nodes, 0).ctl(
      "list_queues",
      "-q",
      "-p",
      vhost,
      ...columns,
      "--formatter=json",
    );
    for (const queue of JSON.parse(text) as Record<string, unknown>[]) {
      const where = String(queue.name);
      const so = depths.get(where);
      depths.set(where, {
        where,
        ready: Number(queue.messages_ready) + (so?.ready ?? 0),
        unacknowledged: Number(queue.messages_unacknowledged) + (so?.unacknowledged ?? 0),
        consumers: Number(queue.consumers) + (so?.consumers ?? 0),
      });
    }
  }
  return [...depths.values()];
}

/** A line for the log and the page; undefined if nothing waits. */
export function waitingLine(waiting: readonly Waiting[]): string | undefined {
  if (waiting.length === 0) return undefined;
  const each = waiting.map(
    ({ where, ready, unacknowledged }) =>
      `${where}: ${ready} ready, ${unacknowledged} unacknowledged`,
  );
  return `Still waiting at the end: ${each.join("; ")}.`;
}
