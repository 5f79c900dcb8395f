// One WebSocket to one gateway: the handshake, orders within the credit, and their answers.
// docs/websocket.md has the protocol.
//
//  1. No more orders are outstanding than the gateway's latest credit allows.
//  2. When the socket ends, every order without an answer is in doubt.
//  3. A socket that leaves an order or a ping unanswered is given up.
import { judge } from "./gateways.ts";
import type { Accepted, Draft } from "./order.ts";
import { onAbort, startTimer, stopTimer, type Timer } from "./platform.ts";
import { type Estimate, isObject, type Problem, readProblem } from "./problem.ts";
import type { Answer } from "./settle.ts";

/** The part of the platform's WebSocket that is used. */
export interface WebSocketLike {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}
export type WebSocketClass = new (url: string) => WebSocketLike;

export interface LiveSocketOptions {
  readonly WebSocket: WebSocketClass;
  readonly url: string;
  readonly token: string;
  readonly attemptMs: number;
  readonly frame: (frame: Readonly<Record<string, unknown>>) => void;
  readonly closed: (problem: Problem | undefined) => void;
}

type Answered = Answer<Accepted>;
interface Outstanding {
  readonly answer: (answer: Answered) => void;
  readonly timer: Timer;
}

const PING_EVERY_MS = 20_000;
const PAST_SHED_MS = 1_000;

export class LiveSocket {
  private readonly socket: WebSocketLike;
  private readonly outstanding = new Map<string, Outstanding>();
  /** Orders that wait for credit. */
  private readonly queue: (() => void)[] = [];
  private credit = 0;
  private refs = 0;
  private open = true;
  private problem: Problem | undefined;
  private ready: (() => void) | undefined;
  private heard = true;
  private pings: Timer | undefined;
  private readonly handshake: Timer;

  /** Calls `ready` once the gateway knows the user. */
  constructor(
    private readonly options: LiveSocketOptions,
    ready: () => void,
  ) {
    this.ready = ready;
    this.socket = new options.WebSocket(`${options.url.replace(/^http/, "ws")}/v1/ws`);
    this.socket.onopen = () => this.send({ type: "auth", token: options.token });
    this.socket.onmessage = (event) => this.receive((event as { data: unknown }).data);
    this.socket.onerror = () => undefined; // a close follows
    this.socket.onclose = () => this.end();
    this.handshake = startTimer(() => this.close(), options.attemptMs);
  }

  send(frame: Readonly<Record<string, unknown>>): void {
    if (!this.open) return;
    try {
      this.socket.send(JSON.stringify(frame));
    } catch {
      this.close(); // no longer open: every order without an answer is in doubt (2)
    }
  }

  /** Sends an order when there is credit, and resolves with its answer. */
  async place(draft: Draft, signal: AbortSignal): Promise<Answered> {
    while (this.open && !signal.aborted && this.outstanding.size >= this.credit)
      await this.answerRead(signal);
    if (!this.open || signal.aborted) return { kind: "later", problem: NOT_SENT };
    return new Promise((resolve) => {
      const ref = String(++this.refs);
      const timer = startTimer(() => this.close(), this.options.attemptMs);
      this.outstanding.set(ref, { answer: resolve, timer });
      this.send({ type: "order", ref, order: draft });
    });
  }

  close(): void {
    this.socket.close();
    this.end();
  }

  private answerRead(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const forget = onAbort(signal, resolve);
      this.queue.push(() => {
        forget();
        resolve();
      });
    });
  }

  private receive(data: unknown): void {
    this.heard = true;
    const frame = frameOf(data);
    if (!this.open) return;
    if (!frame) {
      this.close();
      return;
    }
    if (typeof frame.credit === "number") this.credit = frame.credit;
    if (frame.type === "ready") this.begin();
    else if (frame.type === "acks") this.acked(frame);
    else if (frame.type === "nacks") this.nacked(frame);
    else {
      if (frame.type === "error") this.failed(frame.problem);
      this.options.frame(frame);
    }
    while (this.queue.length > 0) this.queue.shift()?.();
  }

  private begin(): void {
    stopTimer(this.handshake);
    this.ready?.();
    if (this.ready) this.ping();
    this.ready = undefined;
  }

  private acked({ acks, estimate }: Readonly<Record<string, unknown>>): void {
    if (!Array.isArray(acks)) return;
    for (const [ref, , region] of acks) {
      const value = {
        ...(estimate === undefined ? {} : { estimate: estimate as Estimate }),
        ...(region === undefined ? {} : { region: String(region) }),
      };
      this.answer(String(ref), { kind: "done", value });
    }
  }

  private nacked({ nacks }: Readonly<Record<string, unknown>>): void {
    if (!Array.isArray(nacks)) return;
    for (const [ref, , problem] of nacks) this.answer(String(ref), judge(nackOf(problem)));
  }

  private answer(ref: string, answer: Answered): void {
    const outstanding = this.outstanding.get(ref);
    if (!outstanding) return;
    stopTimer(outstanding.timer);
    this.outstanding.delete(ref);
    outstanding.answer(answer);
  }

  private failed(problem: unknown): void {
    const status = isObject(problem) && typeof problem.status === "number" ? problem.status : 0;
    if (status === 401) this.problem = readProblem(problem, status);
  }

  private ping(): void {
    this.pings = startTimer(() => {
      if (!this.heard) return this.close();
      this.heard = false;
      this.send({ type: "ping" });
      this.ping();
    }, PING_EVERY_MS);
  }

  private end(): void {
    if (!this.open) return;
    this.open = false;
    stopTimer(this.handshake);
    stopTimer(this.pings);
    for (const ref of [...this.outstanding.keys()])
      this.answer(ref, { kind: "unknown", error: new Error("the socket ended") });
    for (const next of this.queue.splice(0)) next();
    this.options.closed(this.problem);
  }
}

/** undefined: the other end is not a gateway. */
function frameOf(data: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    const frame: unknown = JSON.parse(String(data));
    return isObject(frame) ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** The socket ended before the order left. */
const NOT_SENT: Problem = {
  code: "unavailable",
  status: 503,
  title: "The socket ended before the order was sent",
  retryAfterMs: 0,
};

/**
 * Refusals of orders have the time to retry in their estimate; the frequent ones have nothing more.
 */
function nackOf(problem: unknown): Problem {
  const status = isObject(problem) && typeof problem.status === "number" ? problem.status : 0;
  const read = readProblem(problem, status);
  if (read.estimate !== undefined || read.code === "shed" || read.code === "rate_limited")
    return { ...read, retryAfterMs: (read.estimate?.seconds ?? 1) * PAST_SHED_MS };
  return read;
}
