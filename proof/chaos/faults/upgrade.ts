// A rolling upgrade from an earlier release, in the sequence of docs/operations.md, "Upgrades".
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Fault, Injected } from "../fault.ts";
import type { ChaosSystem } from "../system.ts";

const CLI = join(import.meta.dir, "..", "..", "..", "cli", "cli.ts");
const RECOVERY_MS = 15_000;

export const UPGRADE_FAULTS: readonly Fault[] = [
  {
    name: "upgrade",
    what: "All workers are stopped and started from this release, then all other roles one by one.",
    seen: "orders wait while workers are replaced; 503 while their gateway is",
    needs: ["earlier-release", "sqlite"],
    recoveryMs: RECOVERY_MS,
    inject: upgrade,
  },
];

async function upgrade(system: ChaosSystem): Promise<Injected> {
  const before = system.roles.filter((role) => runs(role.pid(), CLI)).length;
  const workers = system.rolesOf("worker");
  await Promise.all(workers.map((worker) => worker.stop()));
  await Promise.all(workers.map((worker) => worker.startFrom(CLI)));
  for (const role of system.roles) {
    if (role.kind === "worker") continue;
    await role.stop();
    await role.startFrom(CLI);
  }
  return {
    lastsMs: 0,
    detail: `${system.roles.length} roles replaced`,
    evidence: async () => {
      const now = system.roles.filter((role) => runs(role.pid(), CLI)).length;
      if (before > 0) throw new Error(`${before} roles ran this release before`);
      if (now < system.roles.length) throw new Error(`${now} roles run this release`);
      return `no role ran this release, now all ${now}`;
    },
    heal: async () => undefined,
  };
}

/** Whether a process was started with this file. */
function runs(pid: number, file: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(file);
  } catch {
    return false;
  }
}
