// A demo's folder under the system's temporary one. It names its owner, so that what a crashed demo
// left running is found and ended by the next one, and a demo that is still at it is left alone.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { endLeftovers, startTime } from "../../services/processes.ts";

const PREFIX = "sluice-demo-";
/** Where the services of a demo keep their records. */
const RECORD_DIRS = ["roles/run", "redis/run", "rabbitmq/run"];

export function makeFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), PREFIX));
  writeFileSync(join(dir, "owner"), `${process.pid} ${startTime(process.pid)}`);
  return dir;
}

export function removeFolder(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Ends what still runs of a demo, and removes its folder. */
export async function endFolder(dir: string): Promise<void> {
  await endRecorded(dir);
  removeFolder(dir);
}

/** Ends what demos left running whose own process is gone, and removes their folders. */
export async function sweepFolders(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const dir = join(tmpdir(), name);
    if (!existsSync(join(dir, "owner")) || ownerLives(dir)) continue;
    if ((await endRecorded(dir)) > 0) removeFolder(dir);
  }
}

/** Returns how many processes were ended. */
async function endRecorded(dir: string): Promise<number> {
  const ended = await Promise.all(RECORD_DIRS.map((records) => endLeftovers(join(dir, records))));
  return ended.flat().length;
}

function ownerLives(dir: string): boolean {
  let owner: string[];
  try {
    owner = readFileSync(join(dir, "owner"), "utf8").split(" ");
  } catch {
    return true; // another user's
  }
  const [pid = "", started = ""] = owner;
  return started !== "" && startTime(Number(pid)) === started && !isZombie(pid);
}

/** Dead, but nobody has asked how it ended: common in containers, where process 1 does not reap. */
function isZombie(pid: string): boolean {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat[stat.lastIndexOf(")") + 2] === "Z";
}
