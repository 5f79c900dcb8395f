// The place where simulations run, one after the other: a redis-server for all of them, and for
// each a new world on it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedProcess } from "./process.ts";
import type { Schedule } from "./schedule.ts";
import { Scheduler } from "./scheduler.ts";
import { SimulatedWorld } from "./simulated-world.ts";
import { emptyLedger, type LedgerImage } from "./world/ledger.ts";
import { startRedisServer } from "./world/redis-server.ts";

export interface Rig {
  open(scheduler: Scheduler, schedule: Schedule): Promise<SimulatedWorld>;
  close(): Promise<void>;
}

/**
 * Calls of a stack trace that are kept: amqplib captures two whenever a channel closes, which took
 * a tenth of a simulation.
 */
const STACK_FRAMES = 3;

export async function openRig(): Promise<Rig> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = STACK_FRAMES;
  const dir = mkdtempSync(join(tmpdir(), "sluice-simulate-"));
  const server = await startRedisServer(dir);
  const leave = () => {
    void server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  process.once("exit", leave); // in the middle of a simulation: the server is told at once
  const images = new Map<number, Promise<LedgerImage>>();
  const imageOf = (shards: number) => {
    const image = images.get(shards) ?? newLedger(shards);
    images.set(shards, image);
    return image;
  };
  return {
    open: async (scheduler, { shape }) =>
      SimulatedWorld.open(scheduler, {
        shards: shape.shards,
        server,
        image: await imageOf(shape.shards),
      }),
    close: async () => {
      Error.stackTraceLimit = stackTraceLimit;
      process.off("exit", leave);
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The same for every simulation. */
function newLedger(shards: number): Promise<LedgerImage> {
  return emptyLedger(new SimulatedProcess(new Scheduler(0), "founder"), shards);
}
