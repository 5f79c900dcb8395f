// Limits of rows and messages, and rules that Redis and TypeScript share, each in one table. The
// function library starts with the same tables as Lua text (core/stores/tables-in-lua.ts).
// core/lua/message.property.test.ts checks that both sides accept the same rows.

export const LIMITS = {
  /**
   * Bytes of a message. Gateways send at most 256 KiB. Redis reads 1 MiB in about 20 ms, and all
   * other shards wait that long (docs/decisions/0012-messages.md).
   */
  MAX_MESSAGE_BYTES: 1024 * 1024,
  /**
   * Rows of a message. Gateways and payment workers send at most 500; each row costs Redis up to 20
   * µs.
   */
  MAX_MESSAGE_ROWS: 1_000,
  /** Distinct items of an order. */
  MAX_LINES: 20,
  /** Units of one item of an order. */
  MAX_QTY: 1_000,
  /** A user's number within a sale. */
  MAX_SEQ: 1_000_000_000,
  /** Attempts and generations. */
  MAX_COUNT: 1_000_000_000,
  /** Unix ms, in the year 5138: the largest round number that Lua's JSON writes exactly. */
  MAX_TIME_MS: 100_000_000_000_000,
  /** Minor units. Lua's JSON writes integers of up to fourteen digits exactly. */
  MAX_MONEY_MINOR: 99_999_999_999_999,
  /** Characters of a user, a sale, an item, a currency, a service and a fingerprint. */
  MAX_NAME: 64,
  /** Bytes of opaque text: payment token, metadata, a provider's reason. */
  MAX_TEXT_BYTES: 8 * 1024,
  /** Characters of an order's id, and of a traceparent. */
  ID_LENGTH: 36,
  TRACE_LENGTH: 55,
} as const;

/**
 * Rules of the decision that TypeScript repeats: verify, the replay and the tests check Redis
 * against them.
 */
export const RULES = {
  /** Attempts to charge one generation of an order: the first try and its retries. */
  MAX_ATTEMPTS: 4,
  /** How long after its acceptance an order may be cancelled. */
  CANCEL_WINDOW_MS: 120_000,
  /**
   * Orders and skips of one user that may wait for their number in a sale. Enough for any client
   * that pipelines; it bounds memory.
   */
  MAX_PARKED: 64,
  /**
   * Orders of one user with a charge under way or waiting; another one is over_limit. Removing one
   * from the middle of a full lane costs Redis at most 0.02 ms.
   */
  MAX_LANE: 1_000,
  /** Hex digits of an order's id that name the bucket of its record. */
  BUCKET_DIGITS: 7,
  /** Time span of a bucket: the digits leave 20 of the 48 bits of milliseconds in a UUIDv7. */
  BUCKET_MS: 2 ** 20,
  /** Keeps a bucket from expiring before it counts as past. */
  EXPIRY_MARGIN_MS: 60_000,
  /** Keeps the mark of an early cancel, besides, through a day of a wrong clock. */
  MARK_MARGIN_MS: 86_400_000,
  /** How long the announcement of a rebuild may stand: several times what a rebuilder asks for. */
  ANNOUNCED_MOST_MS: 120_000,
} as const;

/** Answers about an attempt to charge. */
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
/** Reports of a service on a part. */
export const PART_WORDS = ["claim", "done", "later"] as const;
