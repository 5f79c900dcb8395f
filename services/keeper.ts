// Keeps services running: one that ends by itself is started again, after pauses that grow while it
// does not stay up.
import { messageOf } from "../core/domain/message-of.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { Child } from "./processes.ts";

/** A service that can be started again at the same place. */
export interface Restartable extends Child {
  again(): Promise<Restartable>;
}

const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;
/** One that ran for this long ended for a new reason. */
const STEADY_MS = 60_000;

export class Keeper {
  private readonly stopping = Promise.withResolvers<void>();
  private stopped = false;
  private readonly current = new Map<string, Restartable>();
  private readonly watches: Promise<void>[] = [];

  constructor(private readonly say: (line: string) => void) {}

  keep(name: string, service: Restartable, log: string): void {
    this.current.set(name, service);
    this.watches.push(this.watch(name, service, log));
  }

  /** The process that runs a service now. */
  pid(name: string): number | undefined {
    return this.current.get(name)?.pid;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.stopping.resolve();
    await Promise.all([...this.current.values()].map((service) => service.stop()));
    await Promise.all(this.watches);
  }

  private async watch(name: string, first: Restartable, log: string): Promise<void> {
    let service = first;
    for (let attempt = 0; ; attempt++) {
      const startedMs = realRuntime.monotonicMs();
      const code = await service.exited;
      if (this.stopped) return;
      if (realRuntime.monotonicMs() - startedMs > STEADY_MS) attempt = 0;
      this.say(`${name} exited with code ${code}; starting it again (log: ${log})`);
      const next = await this.startAgain(name, service, attempt);
      if (!next) return;
      service = next;
      this.current.set(name, next);
      // stop() did not know of this one.
      if (this.stopped) return next.stop();
      this.say(`${name} runs again`);
    }
  }

  /** undefined: stopped meanwhile. */
  private async startAgain(
    name: string,
    last: Restartable,
    failed: number,
  ): Promise<Restartable | undefined> {
    for (let attempt = failed; ; attempt++) {
      const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(attempt, 10));
      await Promise.race([realRuntime.sleep(pauseMs), this.stopping.promise]);
      if (this.stopped) return undefined;
      try {
        return await last.again();
      } catch (error) {
        this.say(`${name} did not start; it is tried again: ${messageOf(error)}`);
      }
    }
  }
}
