// GET /v1/ws: accepts sockets, passes their frames on, and writes to all that have news once per
// event-loop round, or every few milliseconds while orders are shed.
import type { Server, WebSocketHandler } from "bun";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { type Auth, type Principal, tokenOf } from "../access/auth.ts";
import type { ClientAddress } from "../access/client-address.ts";
import type { Origins } from "../access/origins.ts";
import { type LateRefusals, mayWait } from "../admission/late-refusals.ts";
import { TokenBuckets } from "../admission/token-bucket.ts";
import type { EventFeed } from "../http/event-feed.ts";
import { oneHost } from "../http/host.ts";
import { Problem, problem } from "../http/problem.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import type { Frames } from "./frames.ts";
import { CLOSE_GOING_AWAY, CLOSE_POLICY, Socket } from "./socket.ts";
import type { StockFeed } from "./stock-feed.ts";
import { Strangers } from "./strangers.ts";
import { Unread } from "./unread.ts";

/**
 * While orders are shed, answers gather for this long instead of one round, ms: half the cost of a
 * refusal is sending it. 2.2 µs per refusal instead of 4.4 (docs/decisions/0010-admission.md).
 */
const GATHER_MS = 4;
/** How often sockets without a token, and those whose token ends, are looked for. */
const SWEEP_MS = 500;
/** How often the token of an open socket is judged again: its key may have been withdrawn. */
const JUDGE_MS = 300_000;
/** Tokens judged again at once. */
const MAX_JUDGED = 200;

/** A service may have, and open, this many times the sockets of a user. */
const SERVICE_SHARE = 10;
const NO_HANDSHAKE = problem("malformed", "Upgrade", "a WebSocket handshake is expected");
const TOO_MANY_HELLOS = problem(
  "rate_limited",
  "Authorization",
  "too many sockets without a token",
);
const TOO_MANY_SOCKETS = problem("rate_limited", "sockets", "too many open sockets of this user");
const TOO_MANY_HANDSHAKES = problem(
  "rate_limited",
  "sockets",
  "too many sockets opened by this user lately",
);

export interface SocketsOptions {
  readonly runtime: Runtime;
  readonly auth: Auth;
  readonly frames: Frames;
  readonly stock: StockFeed;
  readonly events: EventFeed;
  readonly origins: Origins;
  readonly addresses: ClientAddress;
  readonly limits: GatewayLimits;
  readonly late: LateRefusals;
  /** Whether a new socket may be opened; counts those that may not. */
  readonly room: () => boolean;
  /** Wall ms. */
  readonly clock: () => number;
}

export class Sockets {
  private readonly open = new Set<Socket>();
  private readonly strangers: Strangers;
  /** How many open sockets each user has. */
  private readonly byUser = new Map<string, number>();
  private readonly unread: Unread;
  /** Handshakes without a token, by address. */
  private readonly hellos: TokenBuckets;
  /** Handshakes with a token, by user. */
  private readonly handshakes: { readonly user: TokenBuckets; readonly service: TokenBuckets };
  private dirty: Socket[] = [];
  private draining = false;
  private readonly sweeper: Timer;

  constructor(private readonly options: SocketsOptions) {
    const { strangerSockets: inAll, strangersPerAddress: ofAddress } = options.limits;
    this.strangers = new Strangers({ inAll, ofAddress });
    this.hellos = new TokenBuckets(options.limits.strangersHello);
    const { perSecond, burst } = options.limits.handshakes;
    this.handshakes = {
      user: new TokenBuckets({ perSecond, burst }),
      service: new TokenBuckets({
        perSecond: SERVICE_SHARE * perSecond,
        burst: SERVICE_SHARE * burst,
      }),
    };
    const { socketBufferBytes: ofSocket, unreadBytes } = options.limits;
    this.unread = new Unread({ ofSocket, inAll: unreadBytes });
    options.frames.onAuthenticated = this.admitLater;
    this.sweeper = options.runtime.startInterval(() => this.sweep(), SWEEP_MS);
  }

  get size(): number {
    return this.open.size;
  }

  /** What clients have not read yet. */
  get unreadBytes(): number {
    return this.unread.bytes;
  }

  /** The route handler; returns undefined once the socket is upgraded. */
  readonly upgrade = async (
    request: Request,
    server: Server<Socket>,
  ): Promise<Response | undefined> => {
    const { runtime, addresses, limits, late } = this.options;
    const { headers } = request;
    const peer = server.requestIP(request)?.address ?? "";
    const address = addresses.of(peer, headers.get("x-forwarded-for"));
    const caller =
      oneHost(request) ?? this.misfit(headers) ?? (await this.caller(headers, address));
    if (caller instanceof Problem)
      return mayWait(caller.status)
        ? late.answer(address, () => caller.response())
        : caller.response();
    const socket = new Socket(
      limits,
      this.flushLater,
      runtime.monotonicMs(),
      runtime.random,
      this.unread,
      address,
    );
    if (caller) {
      socket.principal = caller;
      socket.token = tokenOf(headers.get("authorization") ?? "") ?? "";
    }
    return server.upgrade(request, { data: socket })
      ? undefined
      : problem("malformed", "Sec-WebSocket-Key").response();
  };

  readonly handler: WebSocketHandler<Socket> = {
    open: (ws) => {
      const socket = ws.data;
      socket.opened(ws);
      this.open.add(socket);
      if (this.draining) socket.close(CLOSE_GOING_AWAY, "the gateway is closing");
      else if (socket.principal) this.admit(socket, socket.principal);
      else
        for (const oldest of this.strangers.add(socket))
          oldest.close(CLOSE_POLICY, "too many sockets without a token");
    },
    message: (ws, raw) => this.options.frames.receive(ws.data, raw),
    drain: (ws) => ws.data.drained(),
    close: (ws) => {
      const socket = ws.data;
      socket.closed = true;
      this.unread.note(socket, 0);
      this.open.delete(socket);
      this.strangers.delete(socket);
      if (socket.counted) this.count(socket.counted, -1);
      this.options.stock.removeAll(socket);
      this.options.events.removeAll(socket);
    },
  };

  /** Of a socket that had no token in its handshake. */
  private readonly admitLater = (socket: Socket, principal: Principal): void => {
    if (!socket.counted && this.hasty(principal)) this.end(socket, TOO_MANY_HANDSHAKES);
    else this.admit(socket, principal);
  };

  /** Called once a socket has shown who it is; closes it if that user has too many. */
  private readonly admit = (socket: Socket, principal: Principal): void => {
    if (!socket.counted) {
      if (this.full(principal)) {
        this.end(socket, TOO_MANY_SOCKETS);
        return;
      }
      this.strangers.delete(socket);
      socket.counted = principal.user;
      this.count(principal.user, 1);
    }
    this.options.frames.welcome(socket, principal);
  };

  /** What is wrong with a handshake, from any client. */
  private misfit(headers: Headers): Problem | undefined {
    const { origins, limits, room } = this.options;
    if (headers.get("upgrade")?.toLowerCase() !== "websocket") return NO_HANDSHAKE;
    if (!headers.has("sec-websocket-key")) return problem("malformed", "Sec-WebSocket-Key");
    if (!origins.allows(headers.get("origin"), headers.get("host")))
      return problem("foreign_origin", "Origin");
    const full = this.draining || this.open.size >= limits.sockets || !room();
    return full ? problem("unavailable") : undefined;
  }

  /** Who opens a socket, undefined for a stranger, or why it is refused. */
  private async caller(
    headers: Headers,
    address: string,
  ): Promise<Principal | undefined | Problem> {
    const { auth, runtime } = this.options;
    const header = headers.get("authorization");
    if (header === null)
      return this.hellos.take(address, runtime.monotonicMs()) > 0 ? TOO_MANY_HELLOS : undefined;
    const caller = await auth.header(header);
    if (caller instanceof Problem) return caller;
    if (this.full(caller)) return TOO_MANY_SOCKETS;
    return this.hasty(caller) ? TOO_MANY_HANDSHAKES : caller;
  }

  private hasty({ user, service }: Principal): boolean {
    const { handshakes, options } = this;
    const buckets = service ? handshakes.service : handshakes.user;
    return buckets.take(user, options.runtime.monotonicMs()) > 0;
  }

  private full({ user, service }: Principal): boolean {
    const most = this.options.limits.socketsPerUser * (service ? SERVICE_SHARE : 1);
    return (this.byUser.get(user) ?? 0) >= most;
  }

  private count(user: string, more: number): void {
    const sockets = (this.byUser.get(user) ?? 0) + more;
    if (sockets > 0) this.byUser.set(user, sockets);
    else this.byUser.delete(user);
  }

  /** Refuses new sockets; existing ones stay until close(). */
  drain(): void {
    this.draining = true;
  }

  /** Writes what is left to send and closes all sockets. */
  close(): void {
    this.options.runtime.stopTimer(this.sweeper);
    for (const socket of [...this.open]) socket.close(CLOSE_GOING_AWAY, "the gateway is closing");
  }

  private readonly flushLater = (socket: Socket): void => {
    if (this.dirty.push(socket) > 1) return;
    if (this.options.frames.pressed) this.options.runtime.startTimer(this.flush, GATHER_MS);
    else this.options.runtime.nextTurn(this.flush);
  };

  private readonly flush = (): void => {
    const dirty = this.dirty;
    this.dirty = [];
    for (const socket of dirty) socket.flush();
  };

  private sweep(): void {
    this.endStrangers();
    const wallMs = this.options.clock();
    const dueMs = this.options.runtime.monotonicMs() - JUDGE_MS;
    let judged = 0;
    for (const socket of this.open) {
      if (!socket.principal) continue;
      if (socket.principal.expiresAtMs <= wallMs) this.end(socket, problem("token_expired"));
      else if (socket.judgedAtMs < dueMs && judged++ < MAX_JUDGED) void this.judge(socket);
    }
  }

  /** A token that cannot be judged now is believed on. */
  private async judge(socket: Socket): Promise<void> {
    socket.judgedAtMs = this.options.runtime.monotonicMs();
    const { token } = socket;
    const verdict = await this.options.auth.token(token);
    const refused = verdict instanceof Problem && verdict.code !== "unavailable";
    if (refused && socket.token === token) this.end(socket, verdict);
  }

  private end(socket: Socket, reason: Problem): void {
    socket.send(`{"type":"error","problem":${reason.json}}`);
    socket.close(CLOSE_POLICY, reason.code);
  }

  private endStrangers(): void {
    const before = this.options.runtime.monotonicMs() - this.options.limits.authenticateWithinMs;
    for (const socket of this.strangers) {
      if (socket.openedAtMs < before) socket.close(CLOSE_POLICY, "no token");
    }
  }
}
