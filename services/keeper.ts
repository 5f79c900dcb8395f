// Keeps services running.
//
//   1. One that exits on its own is started again, after pauses that grow until it stays up.
//   2. One that runs but does not serve is restarted: a broker whose database has stopped, a Redis
//      that never answers. Several probes in a row must have failed, over a minute, and after each
//      restart over twice as long. Nothing is lost: a broker's queues are on its disk, and Redis is
//      rebuilt from the ledger.
//   3. One that a signal has stopped is left alone: somebody did that on purpose.
import { messageOf } from "../core/domain/message-of.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { type Kept, removeKept, writeKept } from "./kept.ts";
import { isFrozen } from "./probes.ts";
import type { Child } from "./processes.ts";

/** A service that can be started again at the same place. */
export interface Restartable extends Child {
  again(): Promise<Restartable>;
  /**
   * Rejects within the limit with the reason why it does not serve. Absent: only its exit counts.
   */
  probe?: ((limitMs: number) => Promise<void>) | undefined;
}

export interface Patience {
  readonly everyMs: number;
  /** An answer takes milliseconds, or seconds on an overloaded machine. */
  readonly limitMs: number;
  /** Failed probes in a row, and the time since the first of them, before a restart. */
  readonly times: number;
  readonly leastMs: number;
}

const PATIENCE: Patience = { everyMs: 10_000, limitMs: 15_000, times: 6, leastMs: 60_000 };
/** The time doubles this often at most: 16 minutes. */
const MAX_DOUBLINGS = 4;
/** One that served for this long fails for a new reason. */
const FORGIVEN_MS = 30 * 60_000;
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 10_000;
/** One that ran for this long ended for a new reason. */
const STEADY_MS = 60_000;
/** Failed probes before one is logged: a single one may have met a busy moment. */
const LOGGED_AFTER = 2;

export interface KeeperOptions {
  readonly say: (line: string) => void;
  /** Folder of the file for `doctor` (kept.ts). */
  readonly dir: string;
  readonly patience?: Patience;
}

export class Keeper {
  private readonly stopping = Promise.withResolvers<void>();
  private readonly stops = new AbortController();
  private readonly current = new Map<string, Restartable>();
  private readonly watches: Promise<void>[] = [];
  private readonly kept = new Map<string, Kept>();
  private readonly patience: Patience;

  constructor(private readonly options: KeeperOptions) {
    this.patience = options.patience ?? PATIENCE;
  }

  keep(name: string, service: Restartable, log: string): void {
    this.current.set(name, service);
    this.watches.push(this.watch(name, service, log));
  }

  /** The process that runs a service now. */
  pid(name: string): number | undefined {
    return this.current.get(name)?.pid;
  }

  async stop(): Promise<void> {
    this.stops.abort();
    this.stopping.resolve();
    await Promise.all([...this.current.values()].map((service) => service.stop()));
    await Promise.all(this.watches);
    removeKept(this.options.dir);
  }

  private get stopped(): boolean {
    return this.stops.signal.aborted;
  }

  private async watch(name: string, first: Restartable, log: string): Promise<void> {
    const { say } = this.options;
    let service = first;
    let doublings = 0;
    for (let attempt = 0; ; attempt++) {
      const startedMs = realRuntime.monotonicMs();
      this.note(name, { state: "serves" });
      let unhealthy: string | undefined;
      void this.watchHealth(name, service, doublings, (why) => {
        unhealthy = why;
      });
      const code = await service.exited;
      if (this.stopped) return;
      const ranMs = realRuntime.monotonicMs() - startedMs;
      if (ranMs > FORGIVEN_MS) doublings = 0;
      if (unhealthy !== undefined) doublings++;
      const why = unhealthy ?? `it exited with code ${code}`;
      if (ranMs > STEADY_MS) attempt = 0;
      say(`${name} exited with code ${code}; starting it again (log: ${log})`);
      this.note(name, { state: "down", why });
      const next = await this.startAgain(name, service, attempt);
      if (!next) return;
      service = next;
      this.current.set(name, next);
      // stop() did not know of this one.
      if (this.stopped) return next.stop();
      this.noteRestart(name, why);
      say(`${name} runs again`);
    }
  }

  /** 2. Probes a service until it ends, on its own or because it does not serve. Never rejects. */
  private async watchHealth(
    name: string,
    service: Restartable,
    doublings: number,
    ends: (why: string) => void,
  ): Promise<void> {
    const { everyMs, times, leastMs } = this.patience;
    const patienceMs = leastMs * 2 ** Math.min(doublings, MAX_DOUBLINGS);
    let failed = 0;
    let sinceMs = 0;
    const gone = AbortSignal.any([this.stops.signal, endOf(service)]);
    for (;;) {
      await realRuntime.sleep(everyMs, gone);
      if (gone.aborted || !service.probe) return;
      const why = await this.check(name, service);
      if (gone.aborted) return;
      if (why === undefined) {
        failed = 0;
        continue;
      }
      if (failed++ === 0) sinceMs = realRuntime.monotonicMs();
      const seconds = Math.round(patienceMs / 1_000);
      if (failed === LOGGED_AFTER) {
        this.options.say(`${name} does not serve; after ${seconds} s it is restarted: ${why}`);
        this.note(name, { state: "fails", why });
      }
      if (failed < times || realRuntime.monotonicMs() - sinceMs < patienceMs) continue;
      this.options.say(`${name} has not served for ${seconds} s; restarting it: ${why}`);
      ends(`it did not serve for ${seconds} s: ${why}`);
      return service.stop();
    }
  }

  /** Why a service does not serve; undefined: it does, or a signal has stopped it (3). */
  private async check(name: string, service: Restartable): Promise<string | undefined> {
    const before = this.kept.get(name)?.state;
    if (isFrozen(service.pid)) {
      if (before !== "frozen") {
        this.options.say(`${name} (process ${service.pid}) has been stopped by a signal`);
        this.note(name, { state: "frozen", why: `a signal has stopped process ${service.pid}` });
      }
      return undefined;
    }
    try {
      await service.probe?.(this.patience.limitMs);
    } catch (error) {
      // It may have been stopped while it was asked.
      return isFrozen(service.pid) ? undefined : messageOf(error);
    }
    if (before !== "serves") {
      this.options.say(`${name} serves again`);
      this.note(name, { state: "serves" });
    }
    return undefined;
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
        const why = messageOf(error);
        this.options.say(`${name} did not start; it is tried again: ${why}`);
        this.note(name, { state: "down", why });
      }
    }
  }

  private note(name: string, { state, why = "" }: { state: Kept["state"]; why?: string }): void {
    const before = this.kept.get(name) ?? { restarts: 0, restartedMs: 0, restartedFor: "" };
    this.write(name, { ...before, state, why, sinceMs: realRuntime.wallMs() });
  }

  private noteRestart(name: string, restartedFor: string): void {
    const before = this.kept.get(name) as Kept;
    const restartedMs = realRuntime.wallMs();
    this.write(name, { ...before, restarts: before.restarts + 1, restartedMs, restartedFor });
  }

  private write(name: string, kept: Kept): void {
    this.kept.set(name, kept);
    writeKept(this.options.dir, this.kept);
  }
}

/** Aborts when a service has ended. */
function endOf({ exited }: Child): AbortSignal {
  const ended = new AbortController();
  void exited.then(() => ended.abort());
  return ended.signal;
}
