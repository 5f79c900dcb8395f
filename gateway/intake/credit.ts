// Bounds the orders a socket may have outstanding. Reading an order takes a credit, which returns
// when the order's ack or nack has left for the client. While the client does not read, answers
// pile up and no credit returns.
//
// The client counts the orders it sent minus those answered. Its count is never below ours, since
// every answer it has read left here earlier. So a client that stays within its credit is never
// refused.

export class Credit {
  /** Orders being placed. */
  private open = 0;
  /** Answers given to a socket whose kernel buffer is full. */
  private stuck = 0;

  constructor(readonly window: number) {}

  /** Takes a credit; false if the client has used all it was granted. */
  take(): boolean {
    if (this.open + this.stuck >= this.window) return false;
    this.open++;
    return true;
  }

  /**
   * `answers` were written. `left`: they are on their way, rather than waiting for the client to
   * read.
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
