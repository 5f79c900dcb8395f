// Picks every interleaving of a simulation: one queue of events, ordered by due time, then at
// random. One event runs at a time. The next one begins after all promises have gone as far as
// they can, so the seed alone decides what happens.
//
//  1. Time passes only between events. True time never goes back.
//  2. An event may belong to a host. A dead host's events never run; a frozen one keeps its own
//     until it thaws.
//  3. Cancelled events leave the queue long before their time: most are deadlines of answered
//     calls, which would keep everything those calls held in memory.
//  4. The trace is a hash over the time, host and name of each event that ran: two runs with the
//     same hash did the same.
import { messageOf } from "../../core/domain/message-of.ts";
import { prng } from "../../core/runtime/prng.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { WorldScheduler } from "./world/scheduler.ts";

/** Where events happen: a simulated process. */
export interface Host {
  readonly name: string;
  readonly state: "running" | "frozen" | "dead";
  /** Called in place of running an event while the host is frozen (2). */
  keep(event: ScheduledEvent): void;
}

export interface ScheduledEvent {
  readonly name: string;
  readonly run: () => void | Promise<void>;
  readonly host: Host | undefined;
  /** Set by the scheduler's `cancel`. */
  cancelled: boolean;
}

interface Queued {
  readonly dueMs: number;
  /** Orders the events of one moment. */
  readonly draw: number;
  readonly event: ScheduledEvent;
}

/**
 * True time at the start, Unix ms: early in 1970, where a double holds fractions of a nanosecond.
 */
export const START_MS = 1_000_000_000;
/** Lines kept for the trace of a failure. */
const KEPT_LINES = 400;
/** Cancelled events that may lie in the queue, however few others there are (3). */
const CANCELLED_KEPT = 256;

export class Scheduler implements WorldScheduler {
  readonly random: () => number;
  /** Events run so far, and the hash over them (4). */
  steps = 0;
  hash = 0;
  /** What ran last, oldest first. */
  readonly lines: string[] = [];
  /** Errors that an event threw: the process would have died of them. */
  readonly errors: string[] = [];
  /** Told of each event after it has run, as `<process> <event>`. */
  onRan: ((event: string) => void) | undefined;
  private heap: Queued[] = [];
  /** About how many events in the queue are cancelled. */
  private cancelled = 0;
  private trueMs = START_MS;

  constructor(seed: number) {
    this.random = prng(seed);
  }

  readonly nowMs = (): number => this.trueMs;

  readonly event = (name: string, run: () => void | Promise<void>, delayMs = 0): void => {
    this.add(undefined, name, run, delayMs);
  };

  /** Adds an event of a host. */
  add(
    host: Host | undefined,
    name: string,
    run: () => void | Promise<void>,
    delayMs: number,
  ): ScheduledEvent {
    const event = { name, run, host, cancelled: false };
    this.queue(event, delayMs);
    return event;
  }

  /** Queues an event again that a frozen host kept. */
  queue(event: ScheduledEvent, delayMs: number): void {
    push(this.heap, { dueMs: this.trueMs + Math.max(0, delayMs), draw: this.random(), event });
  }

  cancel(event: ScheduledEvent): void {
    event.cancelled = true;
    if (++this.cancelled < Math.max(CANCELLED_KEPT, this.heap.length / 2)) return;
    // A sorted list is a heap.
    this.heap = this.heap.filter(({ event }) => mayRun(event)).sort(inTurn); // 3
    this.cancelled = 0;
  }

  /** Events in the queue, with those that will not run. */
  get length(): number {
    return this.heap.length;
  }

  /** Runs events until `untilMs` or until `done`, asked after each event. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.dueMs > untilMs) break;
      pop(this.heap);
      if (!(await this.step(next))) continue;
      if (done()) return;
    }
    this.trueMs = Math.max(this.trueMs, untilMs);
  }

  /** Whether the event ran. */
  private async step({ dueMs, event }: Queued): Promise<boolean> {
    const { host } = event;
    if (!mayRun(event)) return false; // 2
    if (host?.state === "frozen") {
      host.keep(event);
      return false;
    }
    this.trueMs = dueMs; // 1
    this.note(host, event.name);
    try {
      await event.run();
    } catch (error) {
      this.errors.push(`${host?.name ?? "world"}: ${event.name}: ${messageOf(error)}`);
    }
    await settled();
    this.onRan?.(host ? `${host.name} ${event.name}` : event.name);
    return true;
  }

  private note(host: Host | undefined, name: string): void {
    this.steps++;
    const micros = Math.round((this.trueMs - START_MS) * 1_000);
    const line = `${micros} ${host?.name ?? "world"} ${name}`;
    this.hash = Bun.hash.crc32(line, this.hash); // 4
    this.lines.push(line);
    if (this.lines.length >= 2 * KEPT_LINES) this.lines.splice(0, KEPT_LINES);
  }
}

const mayRun = ({ cancelled, host }: ScheduledEvent): boolean =>
  !cancelled && host?.state !== "dead";

/** Settles once every promise has gone as far as it can. */
function settled(): Promise<void> {
  return new Promise((resolve) => realRuntime.nextTurn(resolve));
}

const before = (a: Queued, b: Queued): boolean =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.draw < b.draw);
const inTurn = (a: Queued, b: Queued): number => a.dueMs - b.dueMs || a.draw - b.draw;

function push(heap: Queued[], item: Queued): void {
  let at = heap.push(item) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (!before(item, heap[above] as Queued)) break;
    heap[at] = heap[above] as Queued;
    at = above;
  }
  heap[at] = item;
}

function pop(heap: Queued[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && before(heap[below + 1] as Queued, heap[below] as Queued))
      below++;
    if (!before(heap[below] as Queued, last)) break;
    heap[at] = heap[below] as Queued;
    at = below;
  }
  heap[at] = last;
}
