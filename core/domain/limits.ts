// The limits of a row and of a message, and the rules that Redis and TypeScript share, each in one
// table. TypeScript reads them here; the function library begins with them as Lua text
// (core/stores/tables-in-lua.ts). core/lua/message.property.test.ts holds both sides to accepting
// the same rows.

export const LIMITS = {
  /**
   * Bytes of a message. A gateway's has 256 KiB at most; at four times that Redis takes some 20 ms
   * to read one, and the other shards wait that long.
   */
  MAX_MESSAGE_BYTES: 1024 * 1024,
  /**
   * Rows of a message. A gateway and a payment worker send 500 at most; each costs Redis up to 20
   * µs.
   */
  MAX_MESSAGE_ROWS: 1_000,
  /** Different items of an order. */
  MAX_LINES: 20,
  /** Units of one item of an order. */
  MAX_QTY: 1_000,
  /** A user's number within a sale. */
  MAX_SEQ: 1_000_000_000,
  /** Attempts and generations. */
  MAX_COUNT: 1_000_000_000,
  /** A time in Unix ms, in the year 5138: as long as Lua's JSON writes it back exactly. */
  MAX_TIME_MS: 100_000_000_000_000,
  /** Minor units. Fourteen digits: the longest integer that Lua's JSON writes back exactly. */
  MAX_MONEY_MINOR: 99_999_999_999_999,
  /** Characters of a user, a sale, an item, a currency, a service and a fingerprint. */
  MAX_NAME: 64,
  /** Bytes of opaque text: payment token, metadata, a provider's words. */
  MAX_TEXT_BYTES: 8 * 1024,
  /** Characters of an order's id, and of a traceparent. */
  ID_LENGTH: 36,
  TRACE_LENGTH: 55,
} as const;

/**
 * The rules of deciding that TypeScript repeats: verify, the replay of a journal and the tests hold
 * Redis to them.
 */
export const RULES = {
  /** Attempts to charge one generation of an order: the first try and its retries. */
  MAX_ATTEMPTS: 4,
  /** How long after its acceptance an order may be cancelled. */
  CANCEL_WINDOW_MS: 120_000,
  /**
   * Orders and skips of one user that may wait for their number in a sale. It covers any client
   * that pipelines, and it bounds memory.
   */
  MAX_PARKED: 64,
  /**
   * Orders of one user with a charge under way or waiting; one more is over_limit. Leaving from the
   * middle of such a lane costs Redis 0.02 ms at most.
   */
  MAX_LANE: 1_000,
  /** Hex digits of an order's id that name the bucket of its record. */
  BUCKET_DIGITS: 7,
  /** What a bucket spans: the 20 bits of milliseconds that its digits leave of a UUIDv7's 48. */
  BUCKET_MS: 2 ** 20,
  /** A bucket must not expire a moment before it counts as past. */
  EXPIRY_MARGIN_MS: 60_000,
} as const;

/** What was heard of an attempt to charge. */
export const ANSWER_WORDS = [
  "captured",
  "failed",
  "unknown",
  "refunded",
  "later",
  "refund_failed",
  "unresolved",
  "returned",
  "disputed",
] as const;
/** What a service says of a part. */
export const PART_WORDS = ["claim", "done", "later"] as const;
