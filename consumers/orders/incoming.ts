// A delivery as the decider takes it. What cannot be looked at row by row is turned back here,
// before it costs anything; what else stands in the properties is believed only as far as it can be
// true.
import { isUtf8 } from "node:buffer";
import type { Delivery } from "../../broker/subscriber.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import type { ShardMessage } from "../../core/stores/shard-store.ts";
import type { Publishers } from "./publishers.ts";
import type { Rights } from "./rights.ts";
import { isFormat0, type Sifted, sift } from "./sift.ts";

export interface Incoming extends ShardMessage {
  readonly deliveries: number;
  readonly acceptedAtMs: number;
  readonly rights: Rights | undefined;
  readonly sifted?: Sifted;
}

/** A gateway's clock follows Redis's; a stamp further ahead is none of a gateway's. */
const STAMP_AHEAD_MS = 60_000;
/** What Redis, the ledger and the name of a queue can take. */
const PRINTABLE = /^[\x20-\x7e]*$/;
const NOT_UTF8 = "\ufffd";

/** The message, or why it goes to the dead letters. */
export function readDelivery(
  delivery: Delivery,
  shard: number,
  publishers: Publishers,
  nowMs: number,
): Incoming | string {
  const { body: bytes, appId, messageId, deliveries, acceptedAtMs } = delivery;
  if (bytes.length > LIMITS.MAX_MESSAGE_BYTES)
    return `too large: ${bytes.length} bytes, at most ${LIMITS.MAX_MESSAGE_BYTES}`;
  const body = bytes.toString();
  if (body.includes(NOT_UTF8) && !isUtf8(bytes)) return "not UTF-8";
  const judged = publishers.judge(delivery, body, shard);
  if ("refused" in judged) return judged.refused;
  const inColumns = isFormat0(body) ? columnsOf(body, judged.rights) : { body };
  if (typeof inColumns === "string") return inColumns;
  return {
    gateway: PRINTABLE.test(appId) ? appId : "",
    batch: PRINTABLE.test(messageId) ? messageId : "",
    ...inColumns,
    deliveries,
    // Only a gateway stamps what it takes in.
    acceptedAtMs: judged.rights?.orders === false ? 0 : believedStamp(acceptedAtMs, nowMs),
    rights: judged.rights,
  };
}

/**
 * What a gateway of an earlier release publishes, as columns; or why it is a dead letter. With rows
 * in it that cannot be decided it stays as it is, and its sound ones are decided by themselves.
 */
function columnsOf(body: string, rights: Rights | undefined) {
  const sifted = sift(body, rights);
  const { count, kept, body: columns, dead } = sifted;
  if (count === 0 && dead !== undefined) return dead;
  return kept.length === count ? { body: columns } : { body, sifted };
}

/**
 * A stamp that cannot be would end other users' gaps, or hide how far the shard lags behind: it
 * counts as none.
 */
function believedStamp(stampMs: number, nowMs: number): number {
  return stampMs > 0 && stampMs <= nowMs + STAMP_AHEAD_MS ? stampMs : 0;
}
