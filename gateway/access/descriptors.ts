// How many file descriptors the process has left. Without one nothing works: no connection to a
// store, no file, no new thread. So a reserve is kept, and clients are refused before it is
// touched.
//
//   free   enough are left
//   tight  fewer than two reserves: no new WebSockets, and idle HTTP connections are closed
//   out    fewer than one reserve: no new connections, until one and a half are left
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { DescriptorState } from "../../core/domain/report.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";

/** A tick of the event loop may accept as many connections as wait in the kernel: 512. */
const RESERVE = 1_024;
/** Where the limit is low, a part of it must do. */
const RESERVE_SHARE = 0.25;
/** The next look comes before this many connections a second could use up what is left. */
const CONNECTIONS_PER_MS = 40;
/** A look costs some 10 µs. */
const MIN_LOOK_MS = 10;
const MAX_LOOK_MS = 250;
/** The limit of a running process changes rarely. */
const LIMIT_EVERY_MS = 1_000;

export interface Descriptors {
  readonly open: number;
  readonly limit: number;
}

/** Reads both from the system; undefined: they cannot be known here. */
export type DescriptorReader = () => Descriptors | undefined;

export class DescriptorWatch {
  state: DescriptorState = "free";
  /** Absent where they cannot be known. */
  seen: Descriptors | undefined;
  private timer: Timer | undefined;

  constructor(
    private readonly runtime: Runtime,
    private readonly onLook: (state: DescriptorState, changed: boolean) => void,
    private readonly read: DescriptorReader = systemReader(runtime),
  ) {
    this.later(MIN_LOOK_MS);
  }

  stop(): void {
    this.runtime.stopTimer(this.timer);
  }

  private later(ms: number): void {
    this.timer = this.runtime.startTimer(() => this.look(), ms);
  }

  private look(): void {
    this.seen = this.read();
    const before = this.state;
    if (this.seen) this.state = judged(this.seen, before);
    const left = this.seen ? this.seen.limit - this.seen.open : Number.POSITIVE_INFINITY;
    this.later(Math.min(MAX_LOOK_MS, Math.max(MIN_LOOK_MS, left / CONNECTIONS_PER_MS)));
    this.onLook(this.state, this.state !== before);
  }
}

export function judged({ open, limit }: Descriptors, before: DescriptorState): DescriptorState {
  const reserve = Math.min(RESERVE, Math.floor(limit * RESERVE_SHARE));
  const left = limit - open;
  if (left < reserve || (before === "out" && left < 1.5 * reserve)) return "out";
  return left < 2 * reserve ? "tight" : "free";
}

/** As Linux has it in /proc. */
function systemReader(runtime: Runtime): DescriptorReader {
  let limit: number | undefined;
  let limitAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const open = openNow();
    if (open === undefined) return undefined;
    try {
      if (runtime.monotonicMs() - limitAtMs > LIMIT_EVERY_MS) {
        limit = openFilesLimit();
        limitAtMs = runtime.monotonicMs();
      }
      return limit === undefined ? undefined : { open, limit };
    } catch (error) {
      // Reading a file takes a descriptor, and there is none.
      if (/^E[MN]FILE$/.test((error as { code?: string }).code ?? "")) return { open, limit: open };
      countIgnored("descriptors_unknown");
      return undefined;
    }
  };
}

const FOLDER = "/proc/self/fd";

/** Before Linux 6.2 the folder has no size, and listing it takes a descriptor. */
function openNow(): number | undefined {
  try {
    return statSync(FOLDER).size || readdirSync(FOLDER).length;
  } catch {
    countIgnored("descriptors_unknown");
    return undefined;
  }
}

/** undefined: it has none. */
function openFilesLimit(): number | undefined {
  const text = readFileSync("/proc/self/limits", "utf8");
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
