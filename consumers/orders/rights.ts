// What a message's publisher may have in it. The broker vouches for who published (the property
// `user_id`, which it refuses to carry for anybody but the connection's own user).
import type { RowKind } from "../../core/domain/limits.ts";
import { shardOf } from "../../core/domain/shard.ts";

export interface Rights {
  readonly kinds: ReadonlySet<RowKind>;
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
export function rightProblem(row: readonly unknown[], rights: Rights): string | undefined {
  const { 0: kind, 1: user, 11: service } = row as [RowKind, string, ...unknown[]];
  if (!rights.kinds.has(kind)) return "its publisher may not send such a row";
  if (shardOf(user, rights.shards) !== rights.shard) return "its user belongs to another shard";
  if (kind === "f" && rights.service !== undefined && service !== rights.service)
    return "a service speaks for another one";
  return undefined;
}
