// Where tests put their files. In memory, if the machine has plenty of it: the stores of a thousand
// tests sync each commit, and would wait for the disk each time.
import { readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";

const SHARED_MEMORY = "/dev/shm";
const MOUNTS = "/proc/self/mounts";
/** Several times what a whole run leaves in its folder. */
const NEEDED_BYTES = 8 * 1024 ** 3;

/** The folder for temporary folders. */
export function roomyFolder(): string {
  try {
    return mayExecute() && freeBytes() >= NEEDED_BYTES ? SHARED_MEMORY : tmpdir();
  } catch {
    return tmpdir(); // no Linux, or no such folder
  }
}

/** Tests run scripts that they have written, which containers often forbid in that folder. */
function mayExecute(): boolean {
  const mounts = readFileSync(MOUNTS, "utf8").split("\n");
  const [, , kind, options = ""] =
    mounts.find((l) => l.split(" ")[1] === SHARED_MEMORY)?.split(" ") ?? [];
  return kind === "tmpfs" && !options.split(",").includes("noexec");
}

/** Both the folder's limit and the memory that backs it, of the machine and of the container. */
function freeBytes(): number {
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  const [, kilobytes] =
    /^MemAvailable: +(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8")) ?? [];
  const allowed = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(bavail * bsize, Number(kilobytes ?? 0) * 1024, allowed);
}
