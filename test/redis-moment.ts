// Captures a Redis's whole content, to be restored later as a fail-over to a lagging replica or an
// older file would.
import type { Redis } from "ioredis";

interface Held {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly ttlMs: number;
}

export class RedisMoment {
  private constructor(private readonly held: readonly Held[]) {}

  static async of(client: Redis): Promise<RedisMoment> {
    const keys = await client.keysBuffer("*");
    const held = await Promise.all(
      keys.map(async (key) => ({
        key,
        value: (await client.dumpBuffer(key)) as Buffer,
        ttlMs: Math.max(0, await client.pttl(key)),
      })),
    );
    return new RedisMoment(held.filter(({ value }) => value !== null));
  }

  async putBack(client: Redis): Promise<void> {
    await client.flushall();
    await Promise.all(this.held.map(({ key, value, ttlMs }) => client.restore(key, ttlMs, value)));
  }
}
