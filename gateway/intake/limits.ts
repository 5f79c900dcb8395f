// The gateway's bounds. Each keeps one kind of memory finite; together they let a flood cost
// answers, not the process.

export interface GatewayLimits {
  /** Body of an order request and payload of a WebSocket frame. */
  readonly bodyBytes: number;
  /** Body of an operator's request: a sale of ten thousand items fits. */
  readonly adminBodyBytes: number;
  /** Orders in one request or frame. */
  readonly ordersPerRequest: number;
  /**
   * Orders in one AMQP message: past this, more of them save nothing, and one FCALL should stay
   * short.
   */
  readonly batchOrders: number;
  /** Characters in one AMQP message, by an estimate that is never too low (row-length.ts). */
  readonly batchBytes: number;
  /**
   * Characters of orders not yet confirmed, over all shards, by the same estimate; beyond it orders
   * are shed. About 70,000 orders: half a second of a flood.
   */
  readonly waitingBytes: number;
  /**
   * Orders remembered until their outcome is told, some 500 bytes each at worst; the oldest are
   * forgotten first.
   */
  readonly undecidedOrders: number;
  /**
   * Orders a socket may have unacknowledged: at 20 ms to a confirm, one socket can then place
   * 100,000 a second.
   */
  readonly credit: number;
  /**
   * Bytes the kernel would not take from a socket, past which it is cut off; a client that keeps to
   * its credit stays far below.
   */
  readonly socketBufferBytes: number;
  /**
   * Outcomes kept for a socket that does not read; beyond it they are dropped and the client told
   * so.
   */
  readonly heldOutcomes: number;
  readonly sockets: number;
  /** Sockets that have not shown a token yet. */
  readonly strangerSockets: number;
  readonly authenticateWithinMs: number;
  readonly idleTimeoutS: number;
  /** Garbage frames after which a socket is closed. */
  readonly garbageFrames: number;
  /** Sales one socket may watch the stock of. */
  readonly subscriptions: number;
  /** Orders followed by event streams and sockets, over all. */
  readonly followed: number;
  /** Orders one socket may follow. */
  readonly followedPerSocket: number;
  /** An event stream without news is closed after this; its client goes on from its last event. */
  readonly streamIdleMs: number;
  /** Verified tokens kept, so that each is verified once. */
  readonly cachedTokens: number;
  /** How long close() waits for confirms that are under way. */
  readonly drainMs: number;
}

export const DEFAULT_LIMITS: GatewayLimits = {
  bodyBytes: 64 * 1024,
  adminBodyBytes: 4 * 1024 * 1024,
  ordersPerRequest: 500,
  batchOrders: 500,
  batchBytes: 256 * 1024,
  waitingBytes: 16 * 1024 * 1024,
  undecidedOrders: 250_000,
  credit: 2_048,
  socketBufferBytes: 2 * 1024 * 1024,
  heldOutcomes: 8_192,
  sockets: 20_000,
  strangerSockets: 1_000,
  authenticateWithinMs: 5_000,
  idleTimeoutS: 60,
  garbageFrames: 10,
  subscriptions: 16,
  followed: 5_000,
  followedPerSocket: 1_000,
  streamIdleMs: 600_000,
  cachedTokens: 65_536,
  drainMs: 10_000,
};
