// A demo's temporary folder. It names the process that owns it, so that the next demo stops what a
// crashed one left running and leaves a live one alone.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endLeftovers, startTime } from "../../services/processes.ts";

const PREFIX = "sluice-demo-";
/** Folders with the records of its processes, `roles/run` for one, lie at most this deep. */
const RECORD_DIR = "run";
const RECORD_DEPTH = 4;

export function makeFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(join(dir, "owner"), `${process.pid} ${startTime(process.pid)}`);
  return dir;
}

export function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Kills what still runs of a demo and removes its folder. */
export async function endFolder(dir: string): Promise<void> {
  await endRecorded(dir, 0);
  removeFolder(dir);
}

/** Stops what crashed demos left running and removes their folders. */
export async function sweepFolders(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const dir = join(tmpdir(), name);
    if (!existsSync(join(dir, "owner")) || ownerLives(dir)) continue;
    if ((await endRecorded(dir)) > 0) removeFolder(dir);
  }
}

/** Stops what is recorded in a folder. Returns the number of stopped processes. */
export async function endRecorded(dir: string, graceMs?: number): Promise<number> {
  const end = (folder: string) => endLeftovers(folder, { graceMs });
  const ended = await Promise.all(recordDirs(dir, RECORD_DEPTH).map(end));
  return ended.flat().length;
}

function recordDirs(dir: string, depth: number): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const path = join(dir, entry.name);
    if (entry.name === RECORD_DIR) return [path];
    return depth > 1 ? recordDirs(path, depth - 1) : [];
  });
}

function ownerLives(dir: string): boolean {
  let owner: string[];
  try {
    owner = readFileSync(join(dir, "owner"), "utf8").split(" ");
  } catch {
    return true; // owned by another user
  }
  const [pid = "", started = ""] = owner;
  return started !== "" && startTime(Number(pid)) === started && !isZombie(pid);
}

/** Dead but not reaped: common in containers, where process 1 does not reap. */
function isZombie(pid: string): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat[stat.lastIndexOf(")") + 2] === "Z";
}
