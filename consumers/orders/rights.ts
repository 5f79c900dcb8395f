// What a publisher's messages may hold. The broker vouches for the publisher: it rejects a message
// whose `user_id` is not the connection's own user.
import type { Kind } from "../../core/domain/fields.ts";
import { type Row, userOf } from "../../core/domain/row.ts";
import { shardOf } from "../../core/domain/shard.ts";

export interface Rights {
  readonly kinds: ReadonlySet<Kind>;
  /** The only service whose parts it may report on; undefined: any. */
  readonly service?: string | undefined;
  /**
   * Whether an order of this publisher that cannot be decided is recorded as rejected. Only orders
   * that a gateway accepted are.
   */
  readonly orders: boolean;
  readonly shard: number;
  readonly shards: number;
}

/** Why the publisher may not send this sound row; undefined if it may. */
export function rightProblem(row: Row, rights: Rights): string | undefined {
  const { kinds, service, shard, shards } = rights;
  if (!kinds.has(row.kind)) return "its publisher may not send such a row";
  if (shardOf(userOf(row), shards) !== shard) return "its user belongs to another shard";
  if (row.kind === "part" && service !== undefined && row.service !== service)
    return "a service may not report for another one";
  return undefined;
}
