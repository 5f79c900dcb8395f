// Who is alive and who holds which shard: leases in Redis, on Redis's clock. They only keep two
// workers from tugging at a shard; that a paused worker does no harm is the epoch's work.
import { OWNERS_KEY, PAUSED_KEY, ROLES_KEY, WORKERS_KEY } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

export interface Membership {
  /** Redis's clock, Unix ms. */
  readonly nowMs: number;
  /** Living workers and what each reports (JSON text). */
  readonly workers: ReadonlyMap<string, string>;
  /** Shards under a running lease, and who holds it. */
  readonly owners: ReadonlyMap<number, string>;
  /** Who has paused the worker that asks; empty: nobody. */
  readonly pausedBy: string;
}

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

  /** Gives leases back; `leave` takes the worker off the list as well. */
  async letGo(worker: string, shards: readonly number[], leave: boolean): Promise<void> {
    await this.redis.call("let_go", [WORKERS_KEY, OWNERS_KEY], [worker, leave ? 1 : 0, ...shards]);
  }

  /** Reads without taking part, for an operator. */
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

  /**
   * Has a living worker, payment worker or service pause at its next beat, until it is resumed or
   * gone. False: no such one.
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
   * Shows a role that owns nothing on the list for `ttlMs`; its report is JSON text. Returns who
   * has paused it by hand.
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
   * The reports of living roles that own nothing. Those that have ended without a word are swept.
   */
  async roles(): Promise<ReadonlyMap<string, string>> {
    const [time, all] = await this.redis.run((c) => Promise.all([c.time(), c.hgetall(ROLES_KEY)]));
    const nowMs = Number(time[0]) * 1000;
    const living = running(all, nowMs);
    const gone = Object.keys(all).filter((role) => !living.has(role));
    if (gone.length > 0)
      await this.redis.run((c) =>
        Promise.all([c.hdel(ROLES_KEY, ...gone), c.hdel(PAUSED_KEY, ...gone)]),
      );
    return living;
  }
}

/** Keeps the leases (`<end> <rest>`) that have not ended. */
function running(leases: Record<string, string>, nowMs: number): Map<string, string> {
  const kept = new Map<string, string>();
  for (const [name, lease] of Object.entries(leases)) {
    const space = lease.indexOf(" ");
    if (Number(lease.slice(0, space)) > nowMs) kept.set(name, lease.slice(space + 1));
  }
  return kept;
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
 * Which worker should hold each shard, the same wherever it is asked: rendezvous hashing (highest
 * random weight) in which nobody takes more than his share, rounded up. Without the bound two
 * workers may well stand seven shards to one.
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
