// The gateway's limits. Each bounds one kind of memory, so a flood costs answers but not the
// process.

export interface GatewayLimits {
  /** Bytes of an order request's body and of a WebSocket frame's payload. */
  readonly bodyBytes: number;
  /** Bytes of an operator's request body: a sale of ten thousand items fits. */
  readonly adminBodyBytes: number;
  /** Orders per request or frame. */
  readonly ordersPerRequest: number;
  /** Orders per AMQP message: more would save nothing, and one FCALL should stay short. */
  readonly batchOrders: number;
  /** Characters per AMQP message, by an estimate that is never too low (row-length.ts). */
  readonly batchBytes: number;
  /**
   * Characters of unconfirmed orders over all shards, by the same estimate. Beyond it orders are
   * shed. About 70,000 orders, or half a second of a flood.
   */
  readonly waitingBytes: number;
  /**
   * Orders remembered until their outcome is sent, up to 500 bytes each; the oldest are forgotten
   * first.
   */
  readonly undecidedOrders: number;
  /**
   * Unacknowledged orders per socket. With 20 ms to a confirm, one socket can then place 100,000
   * per second.
   */
  readonly credit: number;
  /** Unsent bytes after which a socket is closed; a client within its credit stays far below. */
  readonly socketBufferBytes: number;
  /** Unsent bytes of all sockets: beyond this a socket with more than 64 KiB of them is closed. */
  readonly unreadBytes: number;
  /**
   * Outcomes kept for a socket that does not read; further ones are dropped, and the client is
   * notified.
   */
  readonly heldOutcomes: number;
  readonly sockets: number;
  /** Sockets of one user; of a service, ten times as many. */
  readonly socketsPerUser: number;
  /** Sockets that have not presented a token yet: beyond this the oldest of them is closed. */
  readonly strangerSockets: number;
  /** … from one address. */
  readonly strangersPerAddress: number;
  readonly authenticateWithinMs: number;
  readonly idleTimeoutS: number;
  /**
   * Frames with an error after which a socket is closed. One is forgiven every FORGIVEN_MS
   * (gateway/socket/frames.ts).
   */
  readonly garbageFrames: number;
  /** Frames other than orders, skips and cancels that a socket may send per second … */
  readonly framesPerSecond: number;
  /** … and at once. */
  readonly framesBurst: number;
  /** Sales whose stock one socket may watch. */
  readonly subscriptions: number;
  /** Orders followed by event streams and sockets, in total. */
  readonly followed: number;
  /** Tokens of a user's bucket for reads (gateway/http/read-allowance.ts). */
  readonly reads: { readonly perSecond: number; readonly burst: number };
  /** Bytes of sales and stock that one address may read without a token. */
  readonly publicBytes: { readonly perSecond: number; readonly burst: number };
  /** Bytes of metrics that one address may read on the clients' port. */
  readonly metricBytes: { readonly perSecond: number; readonly burst: number };
  /** Handshakes without a token from one address (gateway/socket/websocket.ts). */
  readonly strangersHello: { readonly perSecond: number; readonly burst: number };
  /** Sockets that one user opens; a service ten times as many (gateway/socket/websocket.ts). */
  readonly handshakes: { readonly perSecond: number; readonly burst: number };
  /** Refusals that one address gets at once; further ones wait (admission/late-refusals.ts). */
  readonly promptRefusals: { readonly perSecond: number; readonly burst: number };
  /** Refusals that wait, of all addresses: each keeps a connection and a few kilobytes. */
  readonly heldRefusals: number;
  /** Tokens that one address gets from the shop (gateway/shop/visitors.ts). */
  readonly visitors: { readonly perSecond: number; readonly burst: number };
  /** Orders of one user that are followed here. */
  readonly followedPerUser: number;
  /** Orders one socket may follow. */
  readonly followedPerSocket: number;
  /**
   * An event stream without news is closed after this time; its client resumes after its last
   * event.
   */
  readonly streamIdleMs: number;
  /** Verified tokens cached, so that each is verified once. */
  readonly cachedTokens: number;
  /** How long close() waits for confirms in flight. */
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
  unreadBytes: 256 * 1024 * 1024,
  heldOutcomes: 8_192,
  sockets: 20_000,
  socketsPerUser: 100,
  strangerSockets: 1_000,
  strangersPerAddress: 200,
  authenticateWithinMs: 5_000,
  idleTimeoutS: 60,
  garbageFrames: 10,
  framesPerSecond: 50,
  framesBurst: 200,
  subscriptions: 16,
  reads: { perSecond: 50, burst: 200 },
  publicBytes: { perSecond: 16 * 1024 * 1024, burst: 64 * 1024 * 1024 },
  metricBytes: { perSecond: 512 * 1024, burst: 4 * 1024 * 1024 },
  strangersHello: { perSecond: 50, burst: 400 },
  handshakes: { perSecond: 5, burst: 100 },
  promptRefusals: { perSecond: 100, burst: 400 },
  heldRefusals: 4_096,
  visitors: { perSecond: 1, burst: 60 },
  followed: 10_000,
  followedPerUser: 200,
  followedPerSocket: 1_000,
  streamIdleMs: 600_000,
  cachedTokens: 65_536,
  drainMs: 10_000,
};
