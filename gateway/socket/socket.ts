// One WebSocket. Answers and news are gathered per event-loop round and written as one frame of
// each kind.
//
// For a client that does not read: its answers wait (the credit bounds them), its outcomes wait up
// to a limit and are then dropped with a `lagging` frame that counts them, and its stock updates
// are replaced by the next full picture.
import type { ServerWebSocket } from "bun";
import { parseOutcome } from "../../core/domain/entry.ts";
import { isOrderState } from "../../core/domain/outcome.ts";
import type { FollowedEvent } from "../../ledger/contract.ts";
import type { Principal } from "../access/auth.ts";
import type { Follower } from "../http/event-feed.ts";
import { unsettled } from "../http/order-http.ts";
import { type Problem, problem } from "../http/problem.ts";
import type { Estimate, Recipient, Verdict } from "../intake/batch.ts";
import { Credit } from "../intake/credit.ts";
import type { GatewayLimits } from "../intake/limits.ts";
import type { Unread } from "./unread.ts";

/** RFC 6455 §7.4.1. */
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_POLICY = 1008;

/** A row's ref as JSON text, so that it is escaped only once. */
export type Ref = string;

export class Socket implements Recipient, Follower {
  principal: Principal | undefined;
  /** The user it is counted for. */
  counted: string | undefined;
  /** The token that proved it. */
  token = "";
  /** When it was last judged, monotonic ms. */
  judgedAtMs: number;
  closed = false;
  /** Frames with an error so far, less those forgiven, as of struckAtMs (monotonic). */
  strikes = 0;
  struckAtMs = 0;
  /** When its bucket of frames is full again, monotonic ms. */
  framesFullAtMs: number;
  /** Sales it watches. */
  readonly watching = new Set<string>();
  readonly credit: Credit;
  private ws!: ServerWebSocket<Socket>;
  private acks = "";
  private nacks = "";
  private answers = 0;
  /** The longest estimate among the acknowledged orders. */
  private estimate: Estimate | undefined;
  /** How many of the answers are to orders without credit. */
  private unpaid = 0;
  private outcomes = "";
  private outcomeCount = 0;
  private missed = 0;
  private dirty = false;
  /** The kernel has not accepted everything yet. */
  choked = false;

  constructor(
    private readonly limits: GatewayLimits,
    private readonly flushLater: (socket: Socket) => void,
    /** Monotonic ms. */
    readonly openedAtMs: number,
    private readonly random: () => number,
    private readonly unread: Unread,
    /** Where it comes from. */
    readonly address = "",
  ) {
    this.framesFullAtMs = openedAtMs;
    this.credit = new Credit(limits.credit);
    this.judgedAtMs = openedAtMs;
  }

  get follows(): boolean {
    return !this.closed;
  }

  opened(ws: ServerWebSocket<Socket>): void {
    this.ws = ws;
  }

  /** Takes a credit for an order or skip; false without one, though its refusal is answered too. */
  takeCredit(): boolean {
    if (this.credit.take()) return true;
    this.unpaid++;
    return false;
  }

  settled(verdict: Verdict, ref: unknown, id: string, estimate?: Estimate): void {
    if (estimate && (!this.estimate || estimate.seconds >= this.estimate.seconds))
      this.estimate = estimate;
    if (verdict !== "confirmed") this.nack(ref as Ref, id, unsettled(verdict, id, this.random));
    else {
      const name = id === "" ? "null" : `"${id}"`;
      const region = estimate?.region;
      const ack = region === undefined ? `[${ref},${name}]` : `[${ref},${name},"${region}"]`;
      this.acks = this.acks === "" ? ack : `${this.acks},${ack}`;
      this.answered();
    }
  }

  /** `id`: as the client wrote it, if it did. */
  nack(ref: Ref, id: unknown, reason: Problem): void {
    const known = typeof id === "string" && id.length <= MAX_ID_ECHO;
    const nack = `[${ref},${known ? JSON.stringify(id) : "null"},${reason.brief}]`;
    this.nacks = this.nacks === "" ? nack : `${this.nacks},${nack}`;
    this.answered();
  }

  decided(_user: string, id: string, word: string): void {
    if (this.closed) return;
    if (this.outcomeCount >= this.limits.heldOutcomes && this.choked) {
      this.missed++;
      return;
    }
    const text = `["${id}",${outcomeText(word)}]`;
    this.outcomes = this.outcomes === "" ? text : `${this.outcomes},${text}`;
    this.outcomeCount++;
    this.touch();
  }

  /**
   * Events of orders it follows. A socket that does not read gets none: it follows them again from
   * its last event.
   */
  tell(_user: string, id: string, events: readonly FollowedEvent[]): void {
    if (this.choked) this.missed += events.length;
    else {
      const list = events.map(({ seq, atMs, event }) => [
        id,
        seq,
        event,
        new Date(atMs).toISOString(),
      ]);
      this.send(JSON.stringify({ type: "events", events: list }));
    }
  }

  ended(): void {}

  unknown(_user: string, id: string): void {
    const reason = problem("not_known_yet", "orders", "not followed any longer");
    this.send(JSON.stringify({ type: "error", problem: JSON.parse(reason.json), id }));
  }

  forgotten(orders: number): void {
    this.missed += orders;
    this.touch();
  }

  /** Writes what has gathered. Answers go even to a choked socket: the credit bounds them. */
  flush(): void {
    this.dirty = false;
    if (this.closed) return;
    if (this.answers > 0) this.flushAnswers();
    if (this.choked) return;
    if (this.missed > 0) {
      this.send(`{"type":"lagging","missed":${this.missed}}`);
      this.missed = 0;
    }
    if (this.outcomeCount > 0) {
      const text = `{"type":"outcomes","outcomes":[${this.outcomes}]}`;
      this.outcomes = "";
      this.outcomeCount = 0;
      this.send(text);
    }
  }

  /** The kernel accepts more again. */
  drained(): void {
    const left = this.ws.getBufferedAmount();
    this.unread.note(this, left);
    if (left > 0) return;
    this.choked = false;
    this.credit.drained();
    this.touch();
  }

  /** Sends one frame. Returns false if it waits behind what the client has not read. */
  send(text: string): boolean {
    if (this.closed) return true;
    const sent = this.ws.send(text);
    if (sent > 0) return !this.choked;
    this.choked = true;
    // Refused, or too much waiting: this client sends without reading. It notices being cut off; it
    // would not notice dropped frames.
    const tooMuch = this.unread.note(this, this.ws.getBufferedAmount());
    if (sent === 0 || tooMuch) this.ws.terminate();
    return false;
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    this.ws.close(code, reason);
  }

  private flushAnswers(): void {
    const { acks, nacks } = this;
    const paid = this.answers - this.unpaid;
    this.acks = "";
    this.nacks = "";
    this.answers = 0;
    this.unpaid = 0;
    const { window } = this.credit;
    let left = true;
    if (acks !== "")
      left = this.send(`{"type":"acks","acks":[${acks}],"credit":${window}${this.estimateText()}}`);
    if (nacks !== "")
      left = this.send(`{"type":"nacks","nacks":[${nacks}],"credit":${window}}`) && left;
    this.credit.answered(paid, left);
  }

  private estimateText(): string {
    const { estimate } = this;
    this.estimate = undefined;
    return estimate
      ? `,"estimate":{"position":${estimate.position},"seconds":${estimate.seconds}}`
      : "";
  }

  private answered(): void {
    this.answers++;
    if (this.acks.length + this.nacks.length > FRAME_CHARS) this.flushAnswers();
    else this.touch();
  }

  private touch(): void {
    if (this.dirty || this.closed) return;
    this.dirty = true;
    this.flushLater(this);
  }
}

const MAX_ID_ECHO = 64;
/** A frame of answers of this size is sent at once, before the round ends. */
const FRAME_CHARS = 64 * 1024;

/** Outcome words as JSON text, cached: there are few, and every order has one. */
const outcomeTexts = new Map<string, string>();

function outcomeText(word: string): string {
  let text = outcomeTexts.get(word);
  if (text === undefined) {
    const outcome = parseOutcome(word);
    const state =
      "state" in outcome ? outcome.state : outcome.kind === "step" ? outcome.word : word;
    if (outcome.kind === "conflict") text = `"${state}","conflict"`;
    else
      text = outcome.kind === "step" && !outcome.news ? `"${state}","not_cancelled"` : `"${state}"`;
    if (isOrderState(state)) outcomeTexts.set(word, text);
  }
  return text;
}
