// How many orders a socket may have outstanding. An order takes a credit when it is read and gives
// it back when its ack or nack has left for the client: while the client does not read, answers
// pile up, and so no credit comes back.
//
// The client counts for itself: orders sent, less orders answered. Its count is never below ours,
// since an answer it has read has left here before; so a client that keeps to its credit is never
// refused for it.

export class Credit {
  /** Orders being placed. */
  private open = 0;
  /** Answers handed to a socket that the kernel would take no more from. */
  private stuck = 0;

  constructor(readonly window: number) {}

  /** Takes one, or says false: the client has more outstanding than it was granted. */
  take(): boolean {
    if (this.open + this.stuck >= this.window) return false;
    this.open++;
    return true;
  }

  /**
   * `answers` have been written; `left` says whether they are on their way or wait for the client
   * to read.
   */
  answered(answers: number, left: boolean): void {
    this.open -= answers;
    if (!left) this.stuck += answers;
  }

  /** What was stuck has left. */
  drained(): void {
    this.stuck = 0;
  }

  get outstanding(): number {
    return this.open + this.stuck;
  }
}
