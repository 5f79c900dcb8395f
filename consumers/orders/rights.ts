// What a message's publisher may have in it. The broker vouches for who published (the property
// `user_id`, which it refuses to carry for anybody but the connection's own user).
import type { Kind } from "../../core/domain/fields.ts";
import { type Row, userOf } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";

export interface Rights {
  readonly kinds: ReadonlySet<Kind>;
  /** The one service whose parts it may speak of; undefined: any. */
  readonly service?: string | undefined;
  /**
   * Whether an order of this publisher that cannot be decided is recorded as rejected: only what a
   * gateway took in is an order.
   */
  readonly orders: boolean;
  readonly shard: number;
  readonly shards: number;
}

/** Why a sound row is none of the publisher's business; undefined when it is. */
export function rightProblem(row: Row, rights: Rights): string | undefined {
  const { kinds, service, shard, shards } = rights;
  if (!kinds.has(row.kind)) return "its publisher may not send such a row";
  if (shardOf(userOf(row), shards) !== shard) return "its user belongs to another shard";
  if (row.kind === "part" && service !== undefined && row.service !== service)
    return "a service speaks for another one";
  return undefined;
}
