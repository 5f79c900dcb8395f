// Postgres fails over to an asynchronous replica, which lacks the last commits. Everything must
// halt, and nothing may be recorded there, until an operator brings the old primary back.
import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import type { Db } from "../../../ledger/db.ts";
import { between, type Fault, type Injected } from "../fault.ts";
import type { ChaosSystem, Victim } from "../system.ts";
import { until } from "../within.ts";
import { asked, dataOf, Replica } from "./postgres-replica.ts";

const RECOVERY_MS = 30_000;
const HALT_MS = 30_000;
/** Shards that have not halted yet have by then. */
const STILL_MS = 2_000;

export const postgresFailedOverLate: Fault = {
  name: "postgres-failed-over-late",
  what:
    "Postgres is killed; a replica that lacks the last 1 to 4 s takes over its address. An " +
    "operator then brings the old primary back and runs `sluice recover --accept-ledger`.",
  seen: "accepted orders wait; nothing is decided until the right ledger is back",
  needs: ["postgres", "root"],
  recoveryMs: RECOVERY_MS,
  inject: failOver,
};

async function failOver(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { server, url } = system.ledger;
  if (!server) throw new Error("the ledger is not on Postgres");
  const lagMs = between(random, 1_000, 4_000);
  const data = await asked(url, dataOf);
  const aside = `${data}-aside`;
  const halts = await haltCount(system);
  const replica = await Replica.of(url, join(system.dir, `replica-${realRuntime.uuid()}`));
  try {
    await asked(url, (db) => replica.stopFollowing(db));
    await realRuntime.sleep(lagMs);
    const before = await system.ledger.entries();
    await server.kill();
    await replica.promote();
    renameSync(data, aside);
    renameSync(replica.data, data);
    await server.start();
    const entries = await asked(url, entriesIn);
    if (entries >= before) throw new Error("the replica lacks nothing");
    return {
      lastsMs: between(random, 1_000, 4_000),
      detail: `the replica lacks ${before - entries} entries`,
      evidence: () => halted(system, halts, entries),
      heal: () => bringBack(system, server, { data, aside }),
    };
  } catch (error) {
    await replica.end();
    await bringBack(system, server, { data, aside });
    throw error;
  }
}

async function halted(system: ChaosSystem, halts: number, entries: number): Promise<string> {
  await until("a worker halts", async () => (await haltCount(system)) > halts, HALT_MS);
  await realRuntime.sleep(STILL_MS);
  const more = (await system.ledger.entries()) - entries;
  if (more !== 0) throw new Error(`${more} entries were recorded in the replica`);
  return "halted, and nothing was recorded in the replica";
}

async function entriesIn(db: Db): Promise<number> {
  return Number((await db.run("SELECT sum(last_n) AS n FROM shards"))[0]?.n);
}

/** As docs/operations.md has it: the roles that use the ledger stop meanwhile. */
async function bringBack(
  system: ChaosSystem,
  server: Victim,
  { data, aside }: { readonly data: string; readonly aside: string },
): Promise<void> {
  const users = [...system.rolesOf("gateway"), ...system.rolesOf("worker")];
  await Promise.all([...users, server].map((victim) => victim.kill()));
  if (existsSync(aside)) {
    rmSync(data, { recursive: true, force: true });
    renameSync(aside, data);
  }
  await server.start();
  await Promise.all(users.map((role) => role.start()));
  await system.sluice("recover", "--accept-ledger");
}

async function haltCount(system: ChaosSystem): Promise<number> {
  const found = await Promise.all(system.rolesOf("worker").map((role) => role.events("halted")));
  return found.flat().length;
}
