// Where the calls of real workers wait until a trace takes the step that they make. A call that
// waits has not been sent, so no deadline of its caller's connection runs.
export interface HeldCall {
  /** The process that calls. */
  readonly process: string;
  readonly what: string;
  /** -1: of no shard. */
  readonly shard: number;
  readonly args: readonly unknown[];
}

interface Waiting extends HeldCall {
  readonly run: () => Promise<unknown>;
  readonly answer: PromiseWithResolvers<unknown>;
}

export class Gate {
  /** While it is open, nothing waits. */
  open = true;
  /** In the order in which they were made. */
  private waiting: Waiting[] = [];

  call<T>(call: HeldCall, run: () => Promise<T>): Promise<T> {
    if (this.open) return run();
    const answer = Promise.withResolvers<unknown>();
    this.waiting.push({ ...call, run, answer });
    return answer.promise as Promise<T>;
  }

  held(process: string, what: string, shard?: number): readonly HeldCall[] {
    return this.waiting.filter(
      (call) =>
        call.process === process &&
        call.what === what &&
        (shard === undefined || call.shard === shard),
    );
  }

  /** Sends it. The caller gets the answer, or `lost` in its place. */
  async pass(call: HeldCall, lost?: Error): Promise<unknown> {
    const { run, answer } = this.take(call);
    try {
      const value = await run();
      if (lost) answer.reject(lost);
      else answer.resolve(value);
      return value;
    } catch (error) {
      answer.reject(error);
      return undefined;
    }
  }

  /** It is never sent: its caller gets an error. */
  fail(call: HeldCall, error: Error): void {
    this.take(call).answer.reject(error);
  }

  /** The caller is gone. */
  forget(process: string): void {
    this.waiting = this.waiting.filter((call) => call.process !== process);
  }

  private take(call: HeldCall): Waiting {
    const found = this.waiting.find((one) => one === call);
    if (!found) throw new Error(`no call '${call.what}' waits`);
    this.waiting = this.waiting.filter((one) => one !== found);
    return found;
  }
}
