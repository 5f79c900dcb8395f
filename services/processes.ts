// Child processes with a record on disk, so that the next start finds and stops what a crashed run
// left behind. A record holds the process id and its start time, so a reused id is never mistaken
// for the recorded process.
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { lowerPriority } from "./priority.ts";

export interface Child {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** Sends `signal`, waits for the grace period, then kills. */
  stop(signal?: NodeJS.Signals, graceMs?: number): Promise<void>;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
}

export interface SpawnOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** Folder of the record `<dir>/<name>.pid`. */
  readonly recordDir: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string;
  readonly logFile?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Niceness: how far it yields to other processes (priority.ts). */
  readonly nice?: number;
}

const DEFAULT_GRACE_MS = 10_000;
/** The kernel removes a killed process at once, unless it is blocked on a disk. */
const KILL_WAIT_MS = 5_000;
const LOOK_MS = 50;
/** Places in /proc/<pid>/stat after the name (proc(5)). */
const STAT = { state: 0, startTime: 19 } as const;

/** Starts a process and records it. */
export function spawnRecorded(options: SpawnOptions): Child {
  mkdirSync(options.recordDir, { recursive: true });
  // Appended: a process that is started again keeps what its predecessor wrote.
  const log = options.logFile ? openSync(options.logFile, "a") : undefined;
  const child = Bun.spawn([...options.command], {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdin: "ignore",
    stdout: log ?? "ignore",
    stderr: log ?? "ignore",
    uid: options.uid,
    gid: options.gid,
    // In its own process group, Ctrl-C reaches only the parent, which then stops its children in
    // order.
    detached: true,
  });
  if (log !== undefined) closeSync(log);
  lowerPriority(options.nice ?? 0, child.pid);
  const record = join(options.recordDir, `${options.name}.pid`);
  const recorded = `${child.pid} ${startTime(child.pid)}\n`;
  try {
    writeFileSync(record, recorded);
  } catch (error) {
    // Without a record, no later run would find and end it.
    signalGroup(child.pid, "SIGKILL");
    throw error;
  }
  let over = false;
  const exited = child.exited.then((code) => {
    over = true;
    // Its successor may have been recorded already.
    if (textOf(record) === recorded) rmSync(record, { force: true });
    return code;
  });
  const end = async (signal: NodeJS.Signals, graceMs: number) => {
    if (over) return; // its id may have been reused
    signalGroup(child.pid, signal);
    const late = realRuntime.startTimer(() => signalGroup(child.pid, "SIGKILL"), graceMs);
    await exited;
    realRuntime.stopTimer(late);
  };
  return {
    pid: child.pid,
    exited,
    stop: (signal = "SIGTERM", graceMs = DEFAULT_GRACE_MS) => end(signal, graceMs),
    kill: () => end("SIGKILL", DEFAULT_GRACE_MS),
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  signalOne(-pid, signal);
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // already exited
  }
}

/**
 * Start time of a process in clock ticks since boot (proc(5), field 22). Empty if there is no such
 * process or no /proc, and for a zombie: in containers, process 1 often does not reap.
 */
export function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const state = fields[STAT.state];
    return state === "Z" || state === "X" ? "" : (fields[STAT.startTime] ?? "");
  } catch {
    return "";
  }
}

/** Records a process that was started indirectly, such as a daemon. */
export function recordProcess(recordDir: string, name: string, pid: number): void {
  mkdirSync(recordDir, { recursive: true });
  writeFileSync(join(recordDir, `${name}.pid`), `${pid} ${startTime(pid)}\n`);
}

/** The id of the recorded process, if it is still running. */
export function recordedPid(recordDir: string, name: string): number | undefined {
  return running(join(recordDir, `${name}.pid`))?.pid;
}

/** Whether any process that the folder records is still running. */
export function anyRunning(recordDir: string): boolean {
  return list(recordDir).some((file) => running(join(recordDir, file)) !== undefined);
}

/**
 * Stops the processes recorded by earlier runs in `recordDir` and returns their names. A process
 * that is still running after `graceMs` is killed.
 */
export async function endLeftovers(
  recordDir: string,
  { graceMs = DEFAULT_GRACE_MS }: { graceMs?: number } = {},
): Promise<string[]> {
  const ended = list(recordDir).map(async (file): Promise<string[]> => {
    const path = join(recordDir, file);
    const left = running(path);
    if (left) await endProcess(left.pid, left.started, graceMs);
    rmSync(path, { force: true });
    return left ? [file.replace(/\.pid$/, "")] : [];
  });
  return (await Promise.all(ended)).flat();
}

/**
 * Asks a recorded process to end and waits for that; false if it has not ended within the time, or
 * if none was running.
 */
export async function endRecorded(
  recordDir: string,
  name: string,
  graceMs: number,
): Promise<boolean> {
  const left = running(join(recordDir, `${name}.pid`));
  if (!left) return false;
  signalOne(left.pid, "SIGTERM");
  const end = realRuntime.monotonicMs() + graceMs;
  while (startTime(left.pid) === left.started && realRuntime.monotonicMs() < end)
    await realRuntime.sleep(LOOK_MS);
  return startTime(left.pid) !== left.started;
}

function running(path: string): { pid: number; started: string } | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  const [pidText = "", started = ""] = text.trim().split(" ");
  const pid = Number(pidText);
  return pid > 1 && started !== "" && startTime(pid) === started ? { pid, started } : undefined;
}

/**
 * Stops the process that a pid file names if it works on `dir`; otherwise the id has been reused.
 * This covers a process whose starter was killed before it could record it.
 */
export async function endByPidFile(file: string, dir: string): Promise<boolean> {
  const pid = Number(textOf(file)?.trim());
  const started = pid > 1 ? startTime(pid) : "";
  if (started === "" || !worksOn(pid, dir)) return false;
  await endProcess(pid, started);
  return true;
}

/** Whether a process runs in a folder or has the folder in its environment. */
function worksOn(pid: number, dir: string): boolean {
  const folder = realpathSync(dir);
  try {
    if (readlinkSync(`/proc/${pid}/cwd`) === folder) return true;
  } catch {
    return false; // owned by another user, or already exited
  }
  const environment = textOf(`/proc/${pid}/environ`) ?? "";
  return environment.includes(`${dir}/`) || environment.includes(`${folder}/`);
}

/**
 * Sends SIGTERM, then SIGKILL. Throws if the process survives, because two processes on one data
 * folder would corrupt it.
 */
async function endProcess(pid: number, started: string, graceMs = DEFAULT_GRACE_MS): Promise<void> {
  for (const [signal, waitMs] of [
    ["SIGTERM", graceMs],
    ["SIGKILL", KILL_WAIT_MS],
  ] as const) {
    signalGroup(pid, signal);
    signalOne(pid, signal);
    const end = realRuntime.monotonicMs() + waitMs;
    while (startTime(pid) === started && realRuntime.monotonicMs() < end)
      await realRuntime.sleep(LOOK_MS);
    if (startTime(pid) !== started) return;
  }
  throw new Error(`process ${pid}, left by an earlier run, cannot be stopped: kill it by hand`);
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir).filter((file) => file.endsWith(".pid"));
  } catch {
    return [];
  }
}
