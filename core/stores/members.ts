// Leases in Redis, on Redis's clock: which workers are running, and who holds which shard. They
// only keep two workers from competing for a shard. It is the epoch that makes a frozen worker
// harmless.
import { OWNERS_KEY, PAUSED_KEY, ROLES_KEY, WORKERS_KEY } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

export interface Membership {
  /** Redis's clock, Unix ms. */
  readonly nowMs: number;
  /** Running workers, each with its report as JSON text. */
  readonly workers: ReadonlyMap<string, string>;
  /** Shards under a current lease, each with its holder. */
  readonly owners: ReadonlyMap<number, string>;
  /** Who has paused the worker that asks; empty if nobody has. */
  readonly pausedBy: string;
}

export interface Running {
  readonly id: string;
  /** JSON text. */
  readonly report: string;
  /** When its lease ends if it does not report again, Redis's clock, Unix ms. */
  readonly endsMs: number;
}

/**
 * A lease that ends later was set before Redis's clock was put back: its holder may be long gone.
 * The longest lease of a worker is a minute (setting-table.ts).
 */
const MAX_AHEAD_MS = 120_000;

export class Members {
  constructor(private readonly redis: RedisStore) {}

  /** Renews this worker's leases for `leaseMs` and reads everyone's. */
  async beat(
    worker: string,
    leaseMs: number,
    report: string,
    held: readonly number[],
  ): Promise<Membership> {
    return membership(
      await this.redis.call(
        "beat",
        [WORKERS_KEY, OWNERS_KEY, PAUSED_KEY],
        [worker, leaseMs, report, ...held],
      ),
    );
  }

  async claim(worker: string, leaseMs: number, shard: number): Promise<"claimed" | "held"> {
    return (
      (await this.redis.call("claim", [OWNERS_KEY], [worker, leaseMs, shard])) as [
        "claimed" | "held",
      ]
    )[0];
  }

  /** Returns leases; `leave` also removes the worker from the list. */
  async release(worker: string, shards: readonly number[], leave: boolean): Promise<void> {
    await this.redis.call("let_go", [WORKERS_KEY, OWNERS_KEY], [worker, leave ? 1 : 0, ...shards]);
  }

  /** Reads the list for an operator, without joining it. */
  async list(): Promise<Membership> {
    const [time, workers, owners] = await this.redis.run((c) =>
      Promise.all([c.time(), c.hgetall(WORKERS_KEY), c.hgetall(OWNERS_KEY)]),
    );
    const nowMs = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
    return {
      nowMs,
      workers: running(workers, nowMs),
      owners: shardKeys(running(owners, nowMs)),
      pausedBy: "",
    };
  }

  /** Everyone who runs, with the end of each lease: an operator sees who left and who was lost. */
  async everyone(): Promise<{
    readonly nowMs: number;
    readonly owners: ReadonlyMap<number, string>;
    readonly running: readonly Running[];
  }> {
    const { nowMs, workers, owners, roles } = await this.redis.run(async (c) => {
      const [time, workers, owners, roles] = await Promise.all([
        c.time(),
        c.hgetall(WORKERS_KEY),
        c.hgetall(OWNERS_KEY),
        c.hgetall(ROLES_KEY),
      ]);
      const nowMs = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
      return { nowMs, workers, owners, roles };
    });
    const list = (leases: Record<string, string>): Running[] =>
      [...running(leases, nowMs)].map(([id, report]) => ({
        ...{ id, report },
        endsMs: endOf(leases[id] ?? ""),
      }));
    return {
      nowMs,
      owners: shardKeys(running(owners, nowMs)),
      running: [...list(workers), ...list(roles)],
    };
  }

  /**
   * Makes a running worker, payment worker or service pause from its next heartbeat until it is
   * resumed or ends. Returns false if there is none of that name.
   */
  async pause(worker: string, by: string): Promise<boolean> {
    if (!(await this.lives(worker))) return false;
    await this.redis.run((c) => c.hset(PAUSED_KEY, worker, by));
    return true;
  }

  async resume(worker: string): Promise<boolean> {
    await this.redis.run((c) => c.hdel(PAUSED_KEY, worker));
    return this.lives(worker);
  }

  private async lives(worker: string): Promise<boolean> {
    return (await this.list()).workers.has(worker) || (await this.roles()).has(worker);
  }

  /**
   * Lists a role that owns nothing for `ttlMs`, with its report as JSON text. Returns who has
   * paused it, if anyone has.
   */
  async show(role: string, ttlMs: number, report: string): Promise<string | undefined> {
    return this.redis.run(async (c) => {
      const [seconds] = await c.time();
      await c.hset(ROLES_KEY, role, `${Number(seconds) * 1000 + ttlMs} ${report}`);
      return (await c.hget(PAUSED_KEY, role)) ?? undefined;
    });
  }

  async hide(role: string): Promise<void> {
    await this.redis.run((c) => Promise.all([c.hdel(ROLES_KEY, role), c.hdel(PAUSED_KEY, role)]));
  }

  /**
   * The reports of running roles that own nothing. Removes those that have expired, but not one
   * from before the clock was put back: if it runs, it reports again within a second.
   */
  async roles(): Promise<ReadonlyMap<string, string>> {
    const [time, all] = await this.redis.run((c) => Promise.all([c.time(), c.hgetall(ROLES_KEY)]));
    const nowMs = Number(time[0]) * 1000;
    const living = running(all, nowMs);
    const gone = Object.keys(all).filter((role) => endOf(all[role] ?? "") <= nowMs);
    if (gone.length > 0)
      await this.redis.run((c) =>
        Promise.all([c.hdel(ROLES_KEY, ...gone), c.hdel(PAUSED_KEY, ...gone)]),
      );
    return living;
  }
}

/** The leases (`<end> <rest>`) that run. */
function running(leases: Record<string, string>, nowMs: number): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, lease] of Object.entries(leases)) {
    const endMs = endOf(lease);
    if (endMs > nowMs && endMs <= nowMs + MAX_AHEAD_MS)
      kept.set(name, lease.slice(lease.indexOf(" ") + 1));
  }
  return kept;
}

function endOf(lease: string): number {
  return Number(lease.slice(0, lease.indexOf(" ")));
}

function shardKeys(owners: ReadonlyMap<string, string>): Map<number, string> {
  return new Map([...owners].map(([shard, worker]) => [Number(shard), worker]));
}

function membership(reply: unknown): Membership {
  const [nowMs, living, held, pausedBy] = reply as [string, string[], string[], string];
  const workers = new Map<string, string>();
  for (let i = 0; i < living.length; i += 2) workers.set(living[i] ?? "", living[i + 1] ?? "");
  const owners = new Map<number, string>();
  for (let i = 0; i < held.length; i += 2) owners.set(Number(held[i]), held[i + 1] ?? "");
  return { nowMs: Number(nowMs), workers, owners, pausedBy };
}

/**
 * Which worker should hold each shard. Every worker computes the same answer: rendezvous hashing
 * (highest random weight), capped at an equal share, rounded up. Without the cap, two workers
 * could well end up with seven shards and one.
 */
export function fairShares(shards: number, workers: Iterable<string>): string[] {
  const room = new Map([...workers].sort().map((worker) => [worker, 0]));
  const share = Math.ceil(shards / Math.max(1, room.size));
  for (const worker of room.keys()) room.set(worker, share);
  const holders: string[] = [];
  for (let shard = 0; shard < shards; shard++) {
    const holder = heaviest(shard, room);
    if (holder === undefined) break;
    room.set(holder, (room.get(holder) ?? 0) - 1);
    holders.push(holder);
  }
  return holders;
}

/** The worker with the highest weight for a shard among those with room left. */
function heaviest(shard: number, room: ReadonlyMap<string, number>): string | undefined {
  let best: string | undefined;
  let bestWeight = -1n;
  for (const [worker, left] of room) {
    const weight = left > 0 ? BigInt(Bun.hash.xxHash64(`${shard} ${worker}`)) : -1n;
    if (weight > bestWeight) {
      best = worker;
      bestWeight = weight;
    }
  }
  return best;
}
