// How many orders a socket may have outstanding. Reading an order takes a credit; it returns when
// the order's ack or nack has left for the client. While the client does not read, answers pile up
// and no credit returns.
//
// The client keeps its own count: orders sent minus orders answered. It is never below ours, since
// an answer it has read left here earlier, so a client that stays within its credit is never
// refused for it.

export class Credit {
  /** Orders being placed. */
  private open = 0;
  /** Answers given to a socket whose kernel buffer is full. */
  private stuck = 0;

  constructor(readonly window: number) {}

  /** Takes one; false if the client has more outstanding than it was granted. */
  take(): boolean {
    if (this.open + this.stuck >= this.window) return false;
    this.open++;
    return true;
  }

  /**
   * `answers` were written; `left`: whether they are on their way or wait for the client to read.
   */
  answered(answers: number, left: boolean): void {
    this.open -= answers;
    if (!left) this.stuck += answers;
  }

  /** All stuck answers have left. */
  drained(): void {
    this.stuck = 0;
  }

  get outstanding(): number {
    return this.open + this.stuck;
  }
}
