// The ledger goes back: somebody restores a backup. Everything must halt, and nothing may be
// recorded in the wrong ledger, until the right one is back.
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { between, type Fault, type Injected } from "../fault.ts";
import type { ChaosSystem, Victim } from "../system.ts";
import { until } from "../within.ts";

const HALT_MS = 30_000;
const RECOVERY_MS = 20_000;
const STILL_MS = 2_000;
const SUFFIXES = ["", "-wal", "-shm"];

export const LEDGER_FAULTS: readonly Fault[] = [
  {
    name: "ledger-restored",
    what:
      "Workers and gateways start with an old backup of the ledger. An operator then " +
      "brings the right one back and runs `sluice recover --accept-ledger`.",
    seen: "accepted orders wait; nothing is decided until the right ledger is back",
    needs: ["sqlite"],
    recoveryMs: RECOVERY_MS,
    inject: restore,
  },
];

async function restore(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { file = "" } = system.ledger;
  const backup = join(system.dir, "backup.db");
  const aside = join(system.dir, "aside.db");
  rmSync(backup, { force: true });
  await system.ledger.backup(backup);
  const ageMs = between(random, 1_500, 5_000);
  await realRuntime.sleep(ageMs);
  const users = [...system.rolesOf("gateway"), ...system.rolesOf("worker")];
  const halts = await haltCount(system);
  await Promise.all(users.map((role) => role.kill()));
  move(file, aside);
  move(backup, file);
  const entries = await system.ledger.entries();
  await startAll(users);
  return {
    lastsMs: between(random, 1_000, 4_000),
    detail: `a backup ${(ageMs / 1_000).toFixed(1)} s old`,
    evidence: async () => {
      await until("a worker halts", async () => (await haltCount(system)) > halts, HALT_MS);
      await realRuntime.sleep(STILL_MS); // shards that had not halted yet have now
      const more = (await system.ledger.entries()) - entries;
      if (more !== 0) throw new Error(`${more} entries were recorded in the backup`);
      return "halted, and nothing was recorded in the backup";
    },
    heal: async () => {
      await Promise.all(users.map((role) => role.kill()));
      for (const suffix of SUFFIXES) rmSync(file + suffix, { force: true });
      move(aside, file);
      await startAll(users);
      // Redis keeps the halt until an operator decides, whichever ledger is there.
      await system.sluice("recover", "--accept-ledger");
    },
  };
}

async function haltCount(system: ChaosSystem): Promise<number> {
  const found = await Promise.all(system.rolesOf("worker").map((role) => role.events("halted")));
  return found.flat().length;
}

async function startAll(users: readonly Victim[]): Promise<void> {
  await Promise.all(users.map((role) => role.start()));
}

/** A SQLite file with what lies beside it. */
function move(from: string, to: string): void {
  for (const suffix of SUFFIXES) {
    rmSync(to + suffix, { force: true });
    if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
  }
}
