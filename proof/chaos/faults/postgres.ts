// The ledger on Postgres: restarted, failed over to a replica, and blocked by a foreign session.
// A Postgres that is killed or frozen is in processes.ts, one that is silent in net.ts.
import { renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { Db } from "../../../ledger/db.ts";
import { between, type Fault } from "../fault.ts";
import type { ChaosSystem, Victim } from "../system.ts";
import { until } from "../within.ts";
import { postgresFailedOverLate } from "./postgres-late.ts";
import { asked, dataOf, Replica } from "./postgres-replica.ts";

const SHOWN_MS = 20_000;
const RECOVERY_MS = 30_000;
/** Longer than any transaction of the product may last. */
const LOCK_SESSION_MS = 120_000;
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

function serverOf({ ledger }: ChaosSystem): Victim {
  if (!ledger.server) throw new Error("the ledger is not on Postgres");
  return ledger.server;
}

const restarted: Fault = {
  name: "postgres-restarted",
  what: "Postgres is shut down in order, which ends all sessions, and starts again after 1 to 8 s.",
  seen: "orders wait for their outcome, then 503 `shed`",
  needs: ["postgres"],
  touches: ["ledger"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const server = serverOf(system);
    const lastsMs = between(random, 1_000, 8_000);
    const pid = server.pid();
    await server.stop();
    return {
      lastsMs,
      detail: `down for ${seconds(lastsMs)}`,
      evidence: async () => {
        const refused = () =>
          system.ledger.entries().then(
            () => false,
            () => server.state() === "gone",
          );
        await until("no answer from Postgres", refused, SHOWN_MS);
        return `process ${pid} is gone, and connections are refused`;
      },
      heal: () => server.start(),
    };
  },
};

const locked: Fault = {
  name: "postgres-locked",
  what: "A foreign session locks the ledger's shards for 5 to 25 s, idle in its transaction.",
  seen: "orders wait for their outcome, then 503 `shed`",
  needs: ["postgres"],
  touches: ["ledger"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const { url } = system.ledger;
    const lastsMs = between(random, 5_000, 25_000);
    const release = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const db = await Db.open(realRuntime, url, LOCK_SESSION_MS);
    const session = db.transaction(async (tx) => {
      await tx.run("SET LOCAL idle_in_transaction_session_timeout = 0");
      await tx.run("LOCK TABLE shards IN ACCESS EXCLUSIVE MODE");
      taken.resolve();
      await release.promise;
    });
    session.catch(taken.reject);
    await taken.promise;
    return {
      lastsMs,
      detail: `for ${seconds(lastsMs)}`,
      evidence: async () => {
        const waiting = () => asked(url, waitingLocks);
        const count = await until("a session that waits", waiting, SHOWN_MS);
        return `${count} sessions wait for a lock`;
      },
      heal: async () => {
        release.resolve();
        await session;
        await db.close();
      },
    };
  },
};

async function waitingLocks(db: Db): Promise<number> {
  const [row] = await db.run("SELECT COUNT(*) AS waiting FROM pg_locks WHERE NOT granted");
  return Number(row?.waiting);
}

const failedOver: Fault = {
  name: "postgres-failed-over",
  what:
    "Postgres is killed; a synchronous replica, which has received every commit but replays it " +
    "2 s late, takes over its address.",
  seen: "orders wait for their outcome, then 503 `shed`",
  needs: ["postgres", "root"],
  touches: ["ledger"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const server = serverOf(system);
    const { url } = system.ledger;
    const replica = await Replica.of(url, join(system.dir, `replica-${realRuntime.uuid()}`));
    const lastsMs = between(random, 1_000, 6_000);
    let before: number;
    try {
      await asked(url, (db) => replica.followSynchronously(db));
      await realRuntime.sleep(lastsMs); // commits wait for the replica meanwhile
      before = await asked(url, timelineOf);
      const data = await asked(url, dataOf);
      await server.kill();
      await replica.promote();
      swap(replica.data, data);
    } catch (error) {
      await replica.end();
      await server.start();
      await asked(url, (db) => replica.alone(db)); // or commits would wait for it forever
      throw error;
    }
    await server.start();
    return {
      lastsMs: 0,
      detail: `after ${seconds(lastsMs)} with a replica that lags`,
      evidence: async () => {
        const timeline = await asked(url, timelineOf);
        if (timeline <= before) throw new Error(`still on timeline ${timeline}`);
        return `timeline ${before} became ${timeline}`;
      },
      heal: () => asked(url, (db) => replica.alone(db)),
    };
  },
};

async function timelineOf(db: Db): Promise<number> {
  const [row] = await db.run("SELECT timeline_id FROM pg_control_checkpoint()");
  return Number(row?.timeline_id);
}

/** The replica's data take the place of the old ones. */
function swap(from: string, to: string): void {
  rmSync(to, { recursive: true });
  renameSync(from, to);
}

export const POSTGRES_FAULTS: readonly Fault[] = [
  restarted,
  locked,
  failedOver,
  postgresFailedOverLate,
];
