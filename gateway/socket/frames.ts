// Frames that clients send over a WebSocket. docs/websocket.md describes the protocol.

import { readTraceparent } from "../../core/domain/trace.ts";
import { subjectOf } from "../../core/domain/user-name.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Auth, Principal } from "../access/auth.ts";
import type { Catalogue } from "../catalogue.ts";
import type { EventFeed } from "../http/event-feed.ts";
import { Problem, problem } from "../http/problem.ts";
import { buyerOf, isObject, tooManyFor } from "../intake/check-order.ts";
import { Forms } from "../intake/forms.ts";
import type { Intake } from "../intake/intake.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import { type Frame, type FrameHead, headOf, readFollowed, readFrame } from "./frame-format.ts";
import { CLOSE_POLICY, type Socket } from "./socket.ts";
import type { StockFeed } from "./stock-feed.ts";

export interface FramesOptions {
  readonly runtime: Runtime;
  readonly auth: Auth;
  readonly intake: Intake;
  readonly catalogue: Catalogue;
  readonly stock: StockFeed;
  readonly events: EventFeed;
  readonly clock: () => number;
  readonly limits: GatewayLimits;
}

/** Frames that a socket's credit or its user's bucket bounds. */
const PAID: ReadonlySet<string> = new Set(["order", "orders", "skip", "cancel"]);
/** An error is forgiven after this time. */
const FORGIVEN_MS = 10_000;
const MAX_REF = 64;
const MAX_FOLLOWED_A_FRAME = 100;

export class Frames {
  /** What to do with a socket that has shown who it is. */
  onAuthenticated: (socket: Socket, principal: Principal) => void = (socket, principal) =>
    this.welcome(socket, principal);
  private readonly forms: Forms;

  constructor(private readonly options: FramesOptions) {
    this.forms = new Forms(options.catalogue);
  }

  /** Whether any order may be shed now. */
  get pressed(): boolean {
    return this.options.intake.pressed;
  }

  receive(socket: Socket, raw: string | Buffer): void {
    if (socket.closed) return;
    const { principal } = socket;
    const head = principal && typeof raw === "string" ? headOf(raw) : undefined;
    if (principal && head && this.places(socket, principal, head)) return;
    const frame = readFrame(raw);
    if (frame instanceof Problem) this.garbage(socket, frame);
    else if (!PAID.has(frame.type as string) && !this.takeFrame(socket))
      this.garbage(socket, TOO_MANY_FRAMES);
    else if (frame.type === "auth") this.authenticate(socket, frame.token);
    else if (principal) this.dispatch(socket, principal, frame, head, raw.length);
    else {
      this.error(
        socket,
        problem("no_token", "type", "send auth first, and the next frame after its answer"),
      );
      socket.close(CLOSE_POLICY, "no token");
    }
  }

  /** Sheds or places an order without parsing it, if that is possible. */
  private places(socket: Socket, principal: Principal, head: FrameHead): boolean {
    const { intake, clock } = this.options;
    const { ref, id, user } = head;
    const shut = this.pressed ? intake.shuts(principal, user) : undefined;
    const formed = shut ? undefined : this.forms.of(head, principal);
    if (!shut && !formed) return false;
    const nowMs = clock();
    const reason =
      this.overrun(socket) ??
      this.expired(principal, nowMs) ??
      (shut ? intake.refuse(shut) : formed && intake.formed(formed, principal, socket, ref, nowMs));
    if (reason) socket.nack(ref, id, reason);
    return true;
  }

  /** Reports to a socket who it is and what it may send. */
  welcome(socket: Socket, principal: Principal): void {
    socket.principal = principal;
    socket.send(
      JSON.stringify({
        type: "ready",
        user: subjectOf(principal.user),
        credit: socket.credit.window,
      }),
    );
  }

  private dispatch(
    socket: Socket,
    principal: Principal,
    frame: Frame,
    head: FrameHead | undefined,
    chars: number,
  ): void {
    switch (frame.type) {
      case "order":
        if (
          this.place(socket, principal, frame, [frame.order]) &&
          head &&
          frame.traceparent === undefined
        )
          this.forms.learn(head, frame.order, principal, this.options.clock());
        break;
      case "orders":
        this.placeMany(socket, principal, frame, chars);
        break;
      case "skip":
        this.skip(socket, principal, frame);
        break;
      case "cancel":
        this.cancel(socket, principal, frame);
        break;
      case "subscribe":
        this.subscribe(socket, frame.saleId);
        break;
      case "unsubscribe":
        if (typeof frame.saleId === "string") this.options.stock.remove(socket, frame.saleId);
        break;
      case "follow":
      case "unfollow":
        this.follow(socket, principal, frame);
        break;
      case "ping":
        socket.send('{"type":"pong"}');
    }
  }

  private placeMany(socket: Socket, principal: Principal, frame: Frame, chars: number): void {
    const { orders } = frame;
    const most = this.options.limits.ordersPerRequest;
    const tooMany = Array.isArray(orders) ? tooManyFor(chars, orders.length) : undefined;
    if (!Array.isArray(orders)) this.garbage(socket, problem("wrong_type", "orders", "an array"));
    else if (orders.length === 0 || orders.length > most)
      this.garbage(socket, problem("out_of_range", "orders", `1 to ${most} orders`));
    else if (tooMany) this.garbage(socket, tooMany);
    else this.place(socket, principal, frame, orders);
  }

  /** Returns whether all were accepted. */
  private place(
    socket: Socket,
    principal: Principal,
    frame: Frame,
    orders: readonly unknown[],
  ): boolean {
    const ref = this.ref(socket, frame);
    if (ref === undefined) return false;
    const trace =
      frame.traceparent === undefined ? undefined : readTraceparent(String(frame.traceparent));
    const { intake } = this.options;
    const expired = this.expired(principal);
    let accepted = true;
    for (const order of orders) {
      const reason =
        this.overrun(socket) ?? expired ?? intake.order(order, principal, null, socket, ref, trace);
      if (!reason) continue;
      accepted = false;
      socket.nack(ref, isObject(order) ? order.id : undefined, reason);
      if (reason.code === "unknown_sale" || reason.code === "unknown_item")
        void this.options.catalogue.refreshSoon();
    }
    return accepted;
  }

  private skip(socket: Socket, principal: Principal, frame: Frame): void {
    const ref = this.ref(socket, frame);
    if (ref === undefined) return;
    const { type: _type, ref: _ref, ...skip } = frame;
    const reason =
      this.overrun(socket) ??
      this.expired(principal) ??
      this.options.intake.skip(skip, principal, socket, ref);
    if (reason) socket.nack(ref, undefined, reason);
  }

  private cancel(socket: Socket, principal: Principal, frame: Frame): void {
    const ref = this.ref(socket, frame);
    if (ref === undefined) return;
    const user = buyerOf(frame, principal);
    const refused =
      this.overrun(socket) ??
      this.expired(principal) ??
      (user instanceof Problem ? this.options.intake.refuse(user) : undefined);
    const reason =
      refused ??
      this.options.intake.cancel({ user: user as string, id: frame.id }, principal, socket, ref);
    if (reason) socket.nack(ref, frame.id, reason);
  }

  /** Follows orders by id, each from after the last event the client has. */
  private follow(socket: Socket, principal: Principal, { type, orders }: Frame): void {
    if (!Array.isArray(orders) || orders.length === 0 || orders.length > MAX_FOLLOWED_A_FRAME) {
      this.garbage(
        socket,
        problem("out_of_range", "orders", `an array of 1 to ${MAX_FOLLOWED_A_FRAME} orders`),
      );
      return;
    }
    for (let i = 0; i < orders.length; i++) {
      const reason = this.followOne(socket, principal, type === "follow", orders[i]);
      if (!reason) continue;
      // One answer a frame: the orders behind the first wrong one are not looked at.
      const { field = "" } = reason;
      const at = `orders[${i}]${field === "" ? "" : `.${field}`}`;
      this.garbage(socket, field === "orders" ? reason : named(reason, at));
      return;
    }
  }

  private followOne(
    socket: Socket,
    principal: Principal,
    begins: boolean,
    order: unknown,
  ): Problem | undefined {
    const { events, limits } = this.options;
    const followed = readFollowed(order, principal, this.options.clock());
    if (followed instanceof Problem) return followed;
    const { user, id, after } = followed;
    if (!begins) {
      events.remove(socket, user, id);
      return undefined;
    }
    if (events.countOf(socket) >= limits.followedPerSocket)
      return problem("out_of_range", "orders", `at most ${limits.followedPerSocket} per socket`);
    return events.add(socket, user, id, after)
      ? undefined
      : problem("unavailable", "orders", "too many orders are followed here");
  }

  private subscribe(socket: Socket, saleId: unknown): void {
    const { catalogue, stock, limits } = this.options;
    if (typeof saleId !== "string" || !catalogue.get(saleId))
      this.garbage(socket, problem("unknown_sale", "saleId"));
    else if (socket.watching.size >= limits.subscriptions && !socket.watching.has(saleId))
      this.garbage(
        socket,
        problem("out_of_range", "saleId", `at most ${limits.subscriptions} sales per socket`),
      );
    else stock.add(socket, saleId);
  }

  private authenticate(socket: Socket, token: unknown): void {
    if (typeof token !== "string") {
      this.garbage(socket, problem("wrong_type", "token", "a string"));
      return;
    }
    const verdict = this.options.auth.token(token);
    if (verdict instanceof Promise) void verdict.then((v) => this.authenticated(socket, token, v));
    else this.authenticated(socket, token, verdict);
  }

  /** A later token renews the first, and must be the same user's. */
  private authenticated(socket: Socket, token: string, verdict: Principal | Problem): void {
    if (socket.closed) return;
    const reason =
      verdict instanceof Problem ? named(verdict, "token") : otherUser(socket.principal, verdict);
    if (reason) {
      this.garbage(socket, reason);
      if (!socket.principal) socket.close(CLOSE_POLICY, reason.code);
      return;
    }
    socket.token = token;
    this.onAuthenticated(socket, verdict as Principal);
  }

  /** The ref as JSON text. */
  private ref(socket: Socket, { ref }: Frame): string | undefined {
    if (typeof ref === "string" && ref.length <= MAX_REF) return JSON.stringify(ref);
    this.garbage(
      socket,
      problem(
        ref === undefined ? "missing_field" : "out_of_range",
        "ref",
        `a string of at most ${MAX_REF} characters`,
      ),
    );
    return undefined;
  }

  /** Takes a credit for an answer; returns a problem if there is none. */
  private overrun(socket: Socket): Problem | undefined {
    return socket.takeCredit() ? undefined : this.options.intake.refuse(CREDIT);
  }

  private expired(principal: Principal, nowMs = this.options.clock()): Problem | undefined {
    return principal.expiresAtMs <= nowMs ? problem("token_expired") : undefined;
  }

  /** A token of the socket's bucket of frames; false if it is empty. */
  private takeFrame(socket: Socket): boolean {
    const { runtime, limits } = this.options;
    const frameMs = 1_000 / limits.framesPerSecond;
    const nowMs = runtime.monotonicMs();
    const fullAtMs = Math.max(nowMs, socket.framesFullAtMs) + frameMs;
    if (fullAtMs - nowMs > limits.framesBurst * frameMs) return false;
    socket.framesFullAtMs = fullAtMs;
    return true;
  }

  private garbage(socket: Socket, reason: Problem): void {
    if (socket.closed) return;
    this.error(socket, this.options.intake.refuse(reason));
    const nowMs = this.options.runtime.monotonicMs();
    const forgiven = Math.floor((nowMs - socket.struckAtMs) / FORGIVEN_MS);
    socket.strikes = Math.max(0, socket.strikes - forgiven) + 1;
    socket.struckAtMs = nowMs;
    if (socket.strikes >= this.options.limits.garbageFrames)
      socket.close(CLOSE_POLICY, "too much garbage");
  }

  private error(socket: Socket, reason: Problem): void {
    socket.send(`{"type":"error","problem":${reason.json}}`);
  }
}

const TOO_MANY_FRAMES = problem("rate_limited", "type", "too many frames on this socket");
const CREDIT = problem("credit", undefined, "wait for acks: see docs/websocket.md");

function otherUser(present: Principal | undefined, next: Principal): Problem | undefined {
  return present && present.user !== next.user
    ? problem("forbidden", "token", "another user's: open another socket")
    : undefined;
}

/** The same refusal, of the frame's own member. */
function named({ code, detail }: Problem, field: string): Problem {
  return new Problem(code, field, detail);
}
