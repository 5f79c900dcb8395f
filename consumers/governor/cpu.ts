// The kernel's figures about the CPU (Linux): how long work waited for one (pressure stall
// information), and the share of all cores used by processes that are not ours. Ours are this
// process, the roles of this installation that report themselves from this machine, and where roles
// were started together, their starter with its private services; and every descendant of these.
//
// Reading about every process of the machine is most of a sample's cost. So a process's parent is
// read once, and new processes are sought only after one was started
// (docs/decisions/0025-idle-cost.md).
import { readdirSync, readFileSync } from "node:fs";
import type { Runtime } from "../../core/runtime/runtime.ts";

export interface CpuSample {
  /** Percent of the time since the last sample in which some process waited for a CPU. */
  readonly pressurePercent: number;
  /** Percent of all cores used by other processes. */
  readonly othersPercent: number;
}

interface Reading {
  readonly atMs: number;
  readonly stalledMicros: number;
  readonly busyTicks: number;
  /** Cores of the whole machine, as in the kernel's accounts, not only those we may use. */
  readonly cores: number;
  readonly ours: ReadonlyMap<number, number>;
}

/** Ticks per second in the kernel's accounts (proc(5)); 100 on every Linux that matters. */
const TICKS_PER_S = 100;
/** Places in /proc/<pid>/stat after the name (proc(5)). */
const STAT = { parent: 1, userTicks: 11, kernelTicks: 12 } as const;

export class CpuWatch {
  private last: Reading | undefined;
  /** Our processes. */
  private pids: readonly number[] = [];
  private roles: readonly number[] = [];
  /** The parent of each process of the machine. */
  private readonly parents = new Map<number, number>();
  /** The kernel's count of processes and threads started, when these were looked up. */
  private startedBefore = "";

  /** `root`: a process that is ours, such as a starter. */
  constructor(
    private readonly runtime: Runtime,
    private readonly root: number,
    private readonly proc = "/proc",
  ) {
    this.last = this.read();
  }

  /** Since the last sample; undefined where the kernel has no figures. */
  sample(): CpuSample | undefined {
    const { last } = this;
    const now = this.read();
    this.last = now;
    if (!last || !now || now.atMs <= last.atMs) return undefined;
    const elapsedMs = now.atMs - last.atMs;
    let ours = 0;
    // A process that has ended is missing; a new one counts from its start.
    for (const [pid, ticks] of now.ours) ours += ticks - (last.ours.get(pid) ?? 0);
    const ticks = (elapsedMs / 1_000) * TICKS_PER_S * now.cores;
    const percent = (part: number) => Math.min(100, Math.max(0, Math.round(part * 100)));
    return {
      pressurePercent: percent((now.stalledMicros - last.stalledMicros) / 1_000 / elapsedMs),
      othersPercent: percent((now.busyTicks - last.busyTicks - ours) / ticks),
    };
  }

  /** The roles of this installation that run on this machine now. */
  reported(pids: readonly number[]): void {
    if (pids.length === this.roles.length && pids.every((pid) => this.roles.includes(pid))) return;
    this.roles = [...pids];
    this.startedBefore = ""; // its descendants are looked for again
  }

  private read(): Reading | undefined {
    try {
      const pressure = /^some .*total=(\d+)/m.exec(
        readFileSync(`${this.proc}/pressure/cpu`, "utf8"),
      );
      // user nice system idle iowait irq softirq steal: stolen time counts as used by others.
      const lines = readFileSync(`${this.proc}/stat`, "utf8").split("\n");
      const cores = lines.filter((line) => /^cpu\d/.test(line)).length;
      const [user, nice, system, , , irq, softirq, steal] =
        lines[0]?.split(/ +/).slice(1).map(Number) ?? [];
      const busyTicks = [user, nice, system, irq, softirq, steal].reduce(
        (sum: number, n) => sum + (n ?? 0),
        0,
      );
      return {
        atMs: this.runtime.monotonicMs(),
        stalledMicros: Number(pressure?.[1]),
        busyTicks,
        cores,
        ours: this.ours(lines.find((line) => line.startsWith("processes ")) ?? ""),
      };
    } catch {
      return undefined;
    }
  }

  /** CPU ticks of each of our processes. `started`: changes with each one that starts. */
  private ours(started: string): Map<number, number> {
    if (started === "" || started !== this.startedBefore) this.lookForOurs();
    this.startedBefore = started;
    const ticks = new Map<number, number>();
    for (const pid of this.pids) {
      const fields = this.statOf(String(pid));
      if (fields) ticks.set(pid, Number(fields[STAT.userTicks]) + Number(fields[STAT.kernelTicks]));
    }
    return ticks;
  }

  private lookForOurs(): void {
    this.readParents();
    const children = new Map<number, number[]>();
    for (const [pid, parent] of this.parents) {
      const siblings = children.get(parent);
      if (siblings) siblings.push(pid);
      else children.set(parent, [pid]);
    }
    const ours = new Set([this.root, process.pid, ...this.roles]);
    for (const pid of ours) for (const child of children.get(pid) ?? []) ours.add(child);
    this.pids = [...ours];
  }

  /** Reads the parents of new processes, and of those whose parent has ended: they have another. */
  private readParents(): void {
    const names = readdirSync(this.proc).filter((name) => /^\d+$/.test(name));
    const alive = new Set(names.map(Number));
    for (const [pid, parent] of this.parents)
      if (!alive.has(pid) || !alive.has(parent)) this.parents.delete(pid);
    for (const name of names) {
      if (this.parents.has(Number(name))) continue;
      const fields = this.statOf(name);
      if (fields) this.parents.set(Number(name), Number(fields[STAT.parent]));
    }
  }

  /** Fields of /proc/<pid>/stat after the name, by the places in STAT. */
  private statOf(pid: string): string[] | undefined {
    try {
      const stat = readFileSync(`${this.proc}/${pid}/stat`, "utf8");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    } catch {
      return undefined; // it has ended
    }
  }
}
