// One direction of one connection through a proxy. What it carries may be late, slow, lost, or cut
// in the middle of a frame.
//
// 1. Bytes keep their order, and a close comes after the bytes before it.
// 2. At most MAX_WAITING_BYTES wait. Beyond them the sender is not read, as on a full network.
import type { Socket } from "node:net";
import { realRuntime } from "../../core/runtime/runtime.ts";

/** What a line does to the bytes of both directions. Zero means: nothing. */
export interface Shape {
  /** Each piece arrives this much later, ms. */
  readonly delayMs: number;
  /** And up to this much more, ms; pieces do not overtake each other. */
  readonly jitterMs: number;
  /** Bytes a second that one connection carries in one direction. */
  readonly bytesPerS: number;
  readonly random: () => number;
}

/** What a pipe asks of its line, before each piece. */
export interface PipeLine {
  shape(): Shape | undefined;
  /** Whether anything arrives at the other end, a close included. */
  passes(): boolean;
  /** How many of the next bytes may pass before both ends are reset; undefined: all. */
  mayPass(bytes: number): number | undefined;
  passed(bytes: number): void;
  dropped(bytes: number): void;
  delayed(): void;
  reset(): void;
}

type Piece = { readonly dueMs: number } & ({ readonly data: Buffer } | { readonly end: Ending });
type Ending = "end" | "close";

const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** A slow line passes this many portions a second. */
const PORTIONS_PER_S = 20;

export class Pipe {
  private readonly waiting: Piece[] = [];
  private waitingBytes = 0;
  private pumping = false;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly line: PipeLine,
  ) {
    from.on("data", (data: Buffer) => this.take(data));
    from.on("end", () => this.enter({ end: "end", dueMs: this.dueMs() }));
    from.on("close", () => this.enter({ end: "close", dueMs: this.dueMs() }));
  }

  private take(data: Buffer): void {
    if (!this.line.passes()) {
      this.line.dropped(data.length);
      return;
    }
    this.waitingBytes += data.length;
    if (this.waitingBytes > MAX_WAITING_BYTES) this.from.pause(); // 2
    this.enter({ data, dueMs: this.dueMs() });
  }

  private dueMs(): number {
    const shape = this.line.shape();
    if (!shape) return 0;
    return realRuntime.monotonicMs() + shape.delayMs + shape.random() * shape.jitterMs;
  }

  private enter(piece: Piece): void {
    if (!this.pumping && piece.dueMs === 0 && !this.line.shape()) {
      this.deliver(piece);
      return;
    }
    this.waiting.push(piece);
    if (!this.pumping) void this.pump();
  }

  /** 1: one piece at a time. */
  private async pump(): Promise<void> {
    this.pumping = true;
    for (let piece = this.waiting.shift(); piece; piece = this.waiting.shift()) {
      const waitMs = piece.dueMs - realRuntime.monotonicMs();
      if (waitMs > 0) {
        this.line.delayed();
        await realRuntime.sleep(waitMs);
      }
      await this.throttled(piece);
    }
    this.pumping = false;
  }

  private async throttled(piece: Piece): Promise<void> {
    const perS = this.line.shape()?.bytesPerS ?? 0;
    if (perS === 0 || !("data" in piece)) return this.deliver(piece);
    const portion = Math.max(1, Math.floor(perS / PORTIONS_PER_S));
    for (let at = 0; at < piece.data.length && !this.to.destroyed; at += portion) {
      const data = piece.data.subarray(at, at + portion);
      this.line.delayed();
      await realRuntime.sleep((data.length / perS) * 1_000);
      this.deliver({ data, dueMs: 0 });
    }
  }

  private deliver(piece: Piece): void {
    const { from, to, line } = this;
    if ("end" in piece) {
      if (!line.passes() || to.destroyed) return;
      if (piece.end === "end") to.end();
      else to.destroySoon(); // 1: what was written last may not have left yet
      return;
    }
    const { data } = piece;
    this.waitingBytes -= data.length;
    if (this.waitingBytes <= MAX_WAITING_BYTES / 2 && from.isPaused()) from.resume();
    if (!line.passes() || to.destroyed) {
      line.dropped(data.length);
      return;
    }
    const allowed = line.mayPass(data.length);
    to.write(allowed === undefined ? data : data.subarray(0, allowed));
    if (to.writableLength > MAX_WAITING_BYTES) this.untilRead(); // 2
    line.passed(allowed ?? data.length);
    if (allowed !== undefined) line.reset();
  }

  private untilRead(): void {
    this.from.pause();
    this.to.once("drain", () => this.from.resume());
  }
}
