// What the kernel grants a process: file descriptors and memory.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { until } from "../within.ts";

/** Open descriptors of a process. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Sets how many descriptors a running process may have; returns what it was. */
export function limitDescriptors(pid: number, limit: number): number {
  const line = readFileSync(`/proc/${pid}/limits`, "utf8")
    .split("\n")
    .find((text) => text.startsWith("Max open files"));
  const before = Number(line?.split(/\s{2,}/)[1]);
  const set = Bun.spawnSync(["prlimit", "--pid", String(pid), `--nofile=${limit}:`]);
  if (set.exitCode !== 0 || !(before > 0)) throw new Error(`prlimit: ${set.stderr.toString()}`);
  return before;
}

/**
 * Opens this number of connections that begin to speak and never go on.
 *
 * A connection without a first byte would hold nothing: servers that set TCP_DEFER_ACCEPT, as Bun's
 * does, leave it to the kernel until then.
 */
export async function openStalled(port: number, count: number, hello: string): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect(port, "127.0.0.1"));
  for (const socket of sockets) {
    socket.on("error", () => undefined);
    socket.on("connect", () => socket.write(hello.slice(0, 1)));
  }
  await realRuntime.sleep(100);
  return sockets;
}

const HELLO_MS = 1_500;

/** Whether the first bytes on a new connection get no answer. */
export async function unanswered(port: number, hello: string): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.on("connect", () => socket.write(hello));
  socket.on("data", () => resolve(false));
  socket.on("error", () => resolve(true));
  socket.on("close", () => resolve(true));
  const timer = realRuntime.startTimer(() => resolve(true), HELLO_MS);
  const silent = await promise;
  realRuntime.stopTimer(timer);
  socket.destroy();
  return silent;
}

const END_MS = 10_000;
const MEMORY_ROOT = "/sys/fs/cgroup/memory";

/** Whether this machine has memory control groups of the first kind, and this user may make one. */
export function hasMemoryGroups(): boolean {
  return process.getuid?.() === 0 && existsSync(join(MEMORY_ROOT, "memory.limit_in_bytes"));
}

/** The group of this process and its children, or the root where that is not visible. */
function ownGroup(): string {
  const line = /^\d+:memory:(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"));
  const dir = join(MEMORY_ROOT, line?.[1] ?? "");
  return existsSync(dir) ? dir : MEMORY_ROOT;
}

/** A limit on the memory that its processes take from now on. */
export class MemoryGroup {
  private readonly parent = ownGroup();
  private readonly dir: string;

  constructor(name: string, limitBytes: number) {
    this.dir = join(this.parent, name);
    mkdirSync(this.dir);
    writeFileSync(join(this.dir, "memory.limit_in_bytes"), String(limitBytes));
  }

  take(pid: number): void {
    writeFileSync(join(this.dir, "cgroup.procs"), String(pid));
  }

  /** How often its processes were refused memory. */
  get refusals(): number {
    return Number(readFileSync(join(this.dir, "memory.failcnt"), "utf8"));
  }

  /** Its processes are free again; one that ends meanwhile is free as well. */
  async end(): Promise<void> {
    const emptied = () => {
      for (const pid of readFileSync(join(this.dir, "cgroup.procs"), "utf8").trim().split("\n"))
        if (pid !== "") move(pid, this.parent);
      return this.removed();
    };
    await until("the group is empty", emptied, END_MS);
  }

  /** The kernel keeps a group while one of its processes ends. */
  private removed(): boolean {
    try {
      rmdirSync(this.dir);
      return true;
    } catch {
      return false;
    }
  }
}

function move(pid: string, group: string): void {
  try {
    writeFileSync(join(group, "cgroup.procs"), pid);
  } catch {
    // It has ended.
  }
}
