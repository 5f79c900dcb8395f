// Which processes are ours, from a folder that looks like /proc.
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { testDir } from "../../test/services.ts";
import { CpuWatch } from "./cpu.ts";

const ROOT = 100;
/** Ticks of the whole machine, and of one process, in each second of these tests. */
const BUSY = 100;
const ITS = 50;

class Kernel {
  readonly runtime = new VirtualRuntime();
  private readonly dir = testDir("proc");
  private readonly processes = new Map<number, { parent: number; ticks: number }>();
  private started = 0;
  private busy = 0;

  constructor() {
    mkdirSync(join(this.dir, "pressure"));
    this.start(1, 0);
    this.start(ROOT, 1);
  }

  start(pid: number, parent: number): void {
    this.started++;
    this.processes.set(pid, { parent, ticks: 0 });
  }

  /** Its children are adopted by process 1. */
  end(pid: number): void {
    this.processes.delete(pid);
    for (const process of this.processes.values()) if (process.parent === pid) process.parent = 1;
  }

  watch(): CpuWatch {
    this.write();
    return new CpuWatch(this.runtime, ROOT, this.dir);
  }

  /** A second in which one process uses the CPU. Returns how much of it was used by others, %. */
  async second(watch: CpuWatch, pid: number): Promise<number | undefined> {
    this.busy += BUSY;
    const process = this.processes.get(pid);
    if (process) process.ticks += ITS;
    this.write();
    await this.runtime.advance(1_000);
    return watch.sample()?.othersPercent;
  }

  private write(): void {
    writeFileSync(join(this.dir, "pressure", "cpu"), "some avg10=0 total=0\n");
    const stat = [`cpu  ${this.busy} 0 0 0 0 0 0 0`, "cpu0 0", `processes ${this.started}`];
    writeFileSync(join(this.dir, "stat"), `${stat.join("\n")}\n`);
    for (let pid = 1; pid < 2 * ROOT; pid++) {
      const process = this.processes.get(pid);
      const folder = join(this.dir, String(pid));
      if (!process) rmSync(folder, { recursive: true, force: true });
      else {
        if (!existsSync(folder)) mkdirSync(folder);
        const { parent, ticks } = process;
        const fields = ["S", parent, 0, 0, 0, 0, 0, 0, 0, 0, 0, ticks, 0];
        writeFileSync(join(folder, "stat"), `${pid} (a name) ${fields.join(" ")}`);
      }
    }
  }
}

test("what descends from the root is ours, also what starts later", async () => {
  const kernel = new Kernel();
  kernel.start(101, ROOT);
  kernel.start(50, 1);
  const watch = kernel.watch();
  expect(await kernel.second(watch, 101)).toBe(50);
  expect(await kernel.second(watch, 50)).toBe(100);
  kernel.start(102, 101);
  await kernel.second(watch, 0);
  expect(await kernel.second(watch, 102)).toBe(50);
});

test("a role that reports itself is ours, with what it starts, whoever started it", async () => {
  const kernel = new Kernel();
  kernel.start(50, 1);
  kernel.start(51, 50);
  const watch = kernel.watch();
  expect(await kernel.second(watch, 51)).toBe(100);
  watch.reported([50]);
  await kernel.second(watch, 0);
  expect(await kernel.second(watch, 51)).toBe(50);
  watch.reported([]);
  await kernel.second(watch, 0);
  expect(await kernel.second(watch, 51)).toBe(100);
});

test("a process whose parent has ended is ours no longer", async () => {
  const kernel = new Kernel();
  kernel.start(101, ROOT);
  kernel.start(102, 101);
  const watch = kernel.watch();
  expect(await kernel.second(watch, 102)).toBe(50);
  kernel.end(101);
  kernel.start(51, 1);
  await kernel.second(watch, 0);
  expect(await kernel.second(watch, 102)).toBe(100);
});

test("a stranger with the number of an ended process of ours is not ours", async () => {
  const kernel = new Kernel();
  kernel.start(101, ROOT);
  const watch = kernel.watch();
  await kernel.second(watch, 101);
  kernel.end(101);
  kernel.start(60, 1);
  await kernel.second(watch, 0);
  kernel.start(101, 1);
  await kernel.second(watch, 0);
  expect(await kernel.second(watch, 101)).toBe(100);
});
