// Turns a delivery into a message for the decider. Whatever cannot be read row by row is rejected
// here, before it costs anything. Properties are believed only if they can be true.
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

/** Gateways follow Redis's clock, so a timestamp further ahead than this is not a gateway's. */
const STAMP_AHEAD_MS = 60_000;
/** The characters that Redis, the ledger and queue names all accept. */
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
    // Only gateways timestamp what they accept.
    acceptedAtMs: judged.rights?.orders === false ? 0 : believedStamp(acceptedAtMs, nowMs),
    rights: judged.rights,
  };
}

/**
 * Converts a message of an earlier release to columns, or returns why it is a dead letter. A
 * message with unsound rows stays in format 0, and its sound rows are decided separately.
 */
function columnsOf(body: string, rights: Rights | undefined) {
  const sifted = sift(body, rights);
  const { count, kept, body: columns, dead } = sifted;
  if (count === 0 && dead !== undefined) return dead;
  return kept.length === count ? { body: columns } : { body, sifted };
}

/** An impossible timestamp counts as none: it would end other users' gaps, or hide the lag. */
function believedStamp(stampMs: number, nowMs: number): number {
  return stampMs > 0 && stampMs <= nowMs + STAMP_AHEAD_MS ? stampMs : 0;
}
