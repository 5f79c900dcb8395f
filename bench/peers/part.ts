// The parent's side of child.ts.
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Command, Told } from "./child.ts";
import type { PeerName } from "./list.ts";
import type { Places } from "./peer.ts";

const CHILD = join(import.meta.dir, "child.ts");
const READY_MS = 30_000;
const ANSWER_MS = 600_000;
const STOP_MS = 20_000;

export interface PartOptions {
  readonly peer: PeerName;
  readonly places: Places;
  /** Receives the number of orders in the ledger, from the part that writes it. */
  readonly onRecorded: (recorded: number) => void;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Part {
  private readonly waiting = new Map<number, Waiting>();
  private readonly ready = Promise.withResolvers<unknown>();
  private readonly child: Bun.Subprocess<"ignore", "inherit", "inherit">;
  private last = 0;

  private constructor(
    readonly kind: "front" | "back",
    { peer, places, onRecorded }: PartOptions,
  ) {
    this.child = Bun.spawn([process.execPath, CHILD, peer, kind, JSON.stringify(places)], {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      ipc: (told: Told) => this.heard(told, onRecorded),
    });
    void this.child.exited.then((code) => this.ended(code));
  }

  /** Resolves when the part takes orders. */
  static async start(kind: "front" | "back", options: PartOptions): Promise<Part> {
    const part = new Part(kind, options);
    await part.within(READY_MS, part.ready.promise, "start");
    return part;
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Sends a command and waits for its answer. */
  ask(command: Command): Promise<unknown> {
    const number = ++this.last;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.waiting.set(number, { resolve, reject });
    this.child.send({ number, command });
    return this.within(ANSWER_MS, promise, command.do);
  }

  /** Sends a command that needs no answer. */
  tell(command: Command): void {
    if (this.child.exitCode === null && !this.child.killed) this.child.send({ number: 0, command });
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    this.tell({ do: "stop" });
    const late = realRuntime.startTimer(() => this.child.kill("SIGKILL"), STOP_MS);
    await this.child.exited;
    realRuntime.stopTimer(late);
  }

  private heard(told: Told, onRecorded: PartOptions["onRecorded"]): void {
    if ("ready" in told) this.ready.resolve(undefined);
    else if ("recorded" in told) onRecorded(told.recorded);
    else {
      const waiting = this.waiting.get(told.number);
      this.waiting.delete(told.number);
      if ("error" in told) waiting?.reject(new Error(`${this.kind}: ${told.error}`));
      else waiting?.resolve(told.value);
    }
  }

  private ended(code: number): void {
    const error = new Error(`the ${this.kind} exited with code ${code}`);
    this.ready.reject(error);
    for (const { reject } of this.waiting.values()) reject(error);
  }

  private async within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = realRuntime.startTimer(
      () => reject(new Error(`${this.kind}: no answer to '${what}' within ${ms} ms`)),
      ms,
    );
    try {
      return await Promise.race([promise, late]);
    } finally {
      realRuntime.stopTimer(timer);
    }
  }
}
