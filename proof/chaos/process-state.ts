// Processes as the kernel shows them: whether one runs, is stopped by a signal or is gone, and
// which processes belong to it.
import { readdirSync, readFileSync } from "node:fs";

export type ProcessState = "running" | "frozen" | "gone";

interface Stat {
  readonly letter: string;
  readonly parent: number;
}

/** proc(5): the name is in brackets and may hold anything; the state and the parent follow. */
function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [letter = "", parent = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { letter, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

export function processState(pid: number): ProcessState {
  const letter = statOf(pid)?.letter ?? "X";
  if (letter === "T" || letter === "t") return "frozen";
  return letter === "Z" || letter === "X" ? "gone" : "running";
}

/** A process and all its descendants. Postgres's backends leave their postmaster's group. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const id = Number(name);
    const parent = id > 0 ? statOf(id)?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

export function signalFamily(pid: number, signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
  for (const member of familyOf(pid)) {
    try {
      process.kill(member, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}
