// One WebSocket of a service that orders for many users, one order per frame and never more in
// flight than its credit. When the socket is lost, it reconnects and resends unanswered orders
// under the same id.
import { realRuntime, type Timer } from "../../core/runtime/runtime.ts";
import { historyNow } from "../history.ts";
import { type Answer, Errand, type LaneOptions } from "./lane.ts";
import { LOOK_MS } from "./open-loop.ts";

export interface WsLaneOptions extends LaneOptions {
  readonly authorization: string;
}

/**
 * Unanswered orders on one socket. The credit allows more, but orders that wait for seconds would
 * only be refused.
 */
const MAX_PENDING = 256;
const RECONNECT_MS = 200;
/** A socket that does not open, or brings no answer while some are due, counts as dead then. */
const SILENCE_MS = 20_000;

interface Problem extends Answer {
  readonly estimate?: { readonly seconds: number };
}
type Frame =
  | { type: "ready"; credit: number }
  | { type: "acks"; acks: [ref: string, id: string | null, region?: string][]; credit: number }
  | { type: "nacks"; nacks: [ref: string, id: string | null, problem: Problem][]; credit: number }
  | { type: "outcomes"; outcomes: [id: string, state: string, mark?: string][] }
  | { type: "lagging" | "pong" | "stock" | "error" };

export class WsLane {
  private socket: WebSocket | undefined;
  private credit = 0;
  private next = 0;
  private refs = 0;
  private readonly pending = new Map<string, Errand>();
  private readonly again: Errand[] = [];
  private waiting = 0;
  private readonly users = new Map<string, string>();
  private readonly done = Promise.withResolvers<void>();
  private heardAtMs = 0;
  private closing = false;
  private watch: Timer | undefined;
  private looking: Timer | undefined;

  constructor(private readonly options: WsLaneOptions) {}

  /** Resolves when every step has its answer. The socket receives outcomes until close(). */
  run(): Promise<void> {
    this.connect();
    this.watch = realRuntime.startInterval(() => this.checkSilence(), 1_000);
    if (this.options.openLoop)
      this.looking = realRuntime.startInterval(() => {
        this.fill();
        this.finishIfDone();
      }, LOOK_MS);
    this.finishIfDone();
    return this.done.promise;
  }

  close(): void {
    this.closing = true;
    realRuntime.stopTimer(this.watch);
    realRuntime.stopTimer(this.looking);
    this.socket?.close();
  }

  private connect(): void {
    const url = `${this.options.target.url.replace(/^http/, "ws")}/v1/ws`;
    const socket = new WebSocket(url, {
      headers: { authorization: this.options.authorization },
    } as never);
    this.socket = socket;
    this.heardAtMs = realRuntime.monotonicMs();
    socket.onmessage = ({ data }) => this.receive(JSON.parse(String(data)) as Frame);
    socket.onclose = () => this.lost(socket);
  }

  private receive(frame: Frame): void {
    this.heardAtMs = realRuntime.monotonicMs();
    switch (frame.type) {
      case "ready":
        this.credit = frame.credit;
        break;
      case "acks":
        for (const [ref, , region] of frame.acks)
          this.answer(ref, { status: 202, code: "", region });
        this.credit = frame.credit;
        break;
      case "nacks":
        for (const [ref, , { status, code, estimate }] of frame.nacks)
          this.answer(ref, { status, code, afterMs: (estimate?.seconds ?? 0) * 1_000 });
        this.credit = frame.credit;
        break;
      case "outcomes":
        this.outcomes(frame.outcomes);
        break;
      case "error":
        throw new Error(`the gateway rejected a frame: ${JSON.stringify(frame)}`);
      default:
    }
    this.fill();
  }

  private answer(ref: string, answer: Answer): void {
    const errand = this.pending.get(ref);
    if (!errand) return;
    this.pending.delete(ref);
    this.settle(errand, answer);
  }

  private settle(errand: Errand, answer: Answer): void {
    const again = errand.end(answer, "ws");
    if (again === undefined) {
      this.finishIfDone();
      return;
    }
    this.waiting++;
    realRuntime.startTimer(() => {
      this.waiting--;
      this.again.push(errand);
      this.fill();
    }, again);
  }

  private fill(): void {
    const { socket, options } = this;
    while (
      socket?.readyState === WebSocket.OPEN &&
      this.pending.size < Math.min(this.credit, MAX_PENDING)
    ) {
      const errand = this.again.shift() ?? this.nextErrand();
      if (!errand) return;
      const ref = String(this.refs++);
      this.pending.set(ref, errand);
      errand.begin("ws");
      const { step } = errand;
      if (step.kind === "skip") {
        socket.send(
          `{"type":"skip","ref":"${ref}","user":"${step.user}","saleId":"${options.saleId}",` +
            `"seq":${step.seq}}`,
        );
      } else if (step.kind === "cancel") {
        this.users.set(step.order.id, step.order.user);
        socket.send(
          `{"type":"cancel","ref":"${ref}","user":"${step.order.user}","id":"${step.order.id}"}`,
        );
      } else {
        const { user, id } = step.order;
        this.users.set(id, user);
        socket.send(
          `{"type":"order","ref":"${ref}","order":{"id":"${id}","user":"${user}",` +
            `${step.bodyText.slice(1)}}`,
        );
      }
    }
  }

  private nextErrand(): Errand | undefined {
    const { steps, openLoop } = this.options;
    const step = steps[this.next];
    if (!step || openLoop?.due(step) === false) return undefined;
    this.next++;
    return new Errand(step, this.options);
  }

  private outcomes(
    outcomes: readonly (readonly [id: string, state: string, mark?: string])[],
  ): void {
    const t = historyNow();
    const { history, events, name: client } = this.options;
    for (const [id, state, mark] of outcomes) {
      const user = this.users.get(id);
      if (user === undefined) continue;
      events?.saw({ client, via: "push", user, id, state, ...(mark ? { mark } : {}) });
      // A cancel is pending or not possible; neither is a state of the order.
      if (state === "cancel_pending" || mark === "not_cancelled") continue;
      history.outcome({ client, t, user, id, state });
    }
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = undefined;
    const unanswered = [...this.pending.values()];
    this.pending.clear();
    for (const errand of unanswered) this.settle(errand, { status: 0, code: "lost" });
    if (!this.closing) realRuntime.startTimer(() => !this.closing && this.connect(), RECONNECT_MS);
  }

  private checkSilence(): void {
    const { socket } = this;
    const waits = this.pending.size > 0 || socket?.readyState === WebSocket.CONNECTING;
    if (waits && realRuntime.monotonicMs() - this.heardAtMs > SILENCE_MS) {
      socket?.close();
      if (socket) this.lost(socket);
    }
  }

  private finishIfDone(): void {
    const { steps, openLoop } = this.options;
    const unsent = openLoop?.over ? 0 : steps.length - this.next;
    const left = unsent + this.pending.size + this.again.length + this.waiting;
    if (left === 0) this.done.resolve();
  }
}
