// Workers that crash again and again, and operators' work that is cut off.
import { join } from "node:path";
import { PAYMENTS_DEAD } from "../../../broker/topology.ts";
import { ended } from "../../../core/runtime/ignored.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { withBroker } from "../broker-client.ts";
import { between, type Fault, type Injected } from "../fault.ts";
import { redriveAll } from "../redrive-all.ts";
import type { ChaosRole, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const RECOVERY_MS = 15_000;
const CRASHES = 25;
/** On a busy machine a worker needs this long to start; then there are fewer crashes. */
const OWNS_MS = 40_000;
const LOOP_MS = 200_000;
const CLI = join(import.meta.dir, "..", "..", "..", "cli", "cli.ts");
const REDRIVE_MS = 60_000;
/** Enough that it has not redriven all of them when it is killed. */
const LETTERS = 40;

export const WORKER_FAULTS: readonly Fault[] = [
  {
    name: "worker-crash-loop",
    what: `One worker is down; the other is killed ${CRASHES} times once it owns shards.`,
    seen: "503 `shed` most of the time; accepted orders are decided between two crashes",
    touches: ["worker"],
    recoveryMs: RECOVERY_MS,
    inject: crashLoop,
  },
  {
    name: "workers-killed-holding",
    what: "Redis is silent for 1 to 3 s; all workers, which hold undecided messages, are killed.",
    seen: "orders wait, then 503 `shed`; they are decided by the next workers",
    touches: ["worker", "redis"],
    recoveryMs: RECOVERY_MS,
    inject: killHolding,
  },
  {
    name: "redrive-interrupted",
    what: "`sluice dead redrive all` is killed while it works, and run again.",
    seen: "orders that were `payment_failed` are decided again",
    touches: ["redrive"],
    recoveryMs: RECOVERY_MS,
    inject: interruptRedrive,
  },
];

async function crashLoop(system: ChaosSystem, random: () => number): Promise<Injected> {
  const [first, ...others] = system.rolesOf("worker");
  if (!first) throw new Error("no worker");
  for (const other of others) await other.kill();
  let [holding, crashes] = [0, 0];
  const endMs = realRuntime.monotonicMs() + LOOP_MS;
  for (; crashes < CRASHES && realRuntime.monotonicMs() < endMs; crashes++) {
    if (crashes > 0 && (await ownsSoon(first))) holding++;
    await realRuntime.sleep(between(random, 0, 400));
    await first.kill();
    // A worker that is killed before it serves is what this is about.
    void ended(first.start());
  }
  return {
    lastsMs: 0,
    detail: `${first.name} killed ${crashes} times`,
    evidence: async () => {
      if (holding < crashes / 2) throw new Error(`it owned shards before ${holding} crashes only`);
      return `it owned shards before ${holding} of ${crashes} crashes`;
    },
    heal: async () => {
      await Promise.all([first, ...others].map((worker) => worker.start()));
    },
  };
}

async function killHolding(system: ChaosSystem, random: () => number): Promise<Injected> {
  const { redis } = system;
  const workers = system.rolesOf("worker");
  redis.freeze();
  try {
    await realRuntime.sleep(between(random, 1_000, 3_000));
    await Promise.all(workers.map((worker) => worker.kill()));
  } finally {
    redis.resume();
  }
  const dead = workers.filter((worker) => worker.state() === "gone").length;
  return {
    lastsMs: between(random, 0, 1_000),
    detail: `${workers.length} workers killed`,
    evidence: async () => {
      if (dead < workers.length) throw new Error(`${workers.length - dead} workers still run`);
      return `all ${dead} are gone`;
    },
    heal: async () => {
      await Promise.all(workers.map((worker) => worker.start()));
    },
  };
}

/** Whether a worker that has just started acquires a shard before long. */
async function ownsSoon(worker: ChaosRole): Promise<boolean> {
  const before = (await worker.events("shard acquired")).length;
  try {
    await until(
      "a shard",
      async () => (await worker.events("shard acquired")).length > before,
      OWNS_MS,
    );
    return true;
  } catch {
    return false;
  }
}

async function interruptRedrive(system: ChaosSystem, random: () => number): Promise<Injected> {
  const env = { ...process.env, ...system.env };
  const command = [process.execPath, CLI, "dead", "redrive", "all"];
  await until("dead letters", async () => (await letters(system)) >= LETTERS, REDRIVE_MS);
  const started = await redriven(system);
  const run = Bun.spawn(command, { env, stdout: "ignore", stderr: "ignore" });
  let began = 0;
  try {
    // It takes a moment to start; then it works letter by letter.
    const begins = async () => {
      began = (await redriven(system)) - started;
      return began > 0 || run.exitCode !== null;
    };
    await until("it redrives", begins, REDRIVE_MS);
    await realRuntime.sleep(between(random, 0, 50));
  } finally {
    run.kill("SIGKILL");
    await run.exited;
  }
  const signal = run.signalCode;
  return {
    lastsMs: 0,
    detail: `killed after it had begun with ${began} letters`,
    evidence: async () => {
      if (signal !== "SIGKILL") throw new Error("it had ended before it was killed");
      return `ended by ${signal}; ${(await redriven(system)) - started} letters on record`;
    },
    heal: () => redriveAll(system),
  };
}

/** Failed payments that wait for an operator. */
async function letters(system: ChaosSystem): Promise<number> {
  const ready = await Promise.all(
    system.brokers.map((broker) =>
      withBroker(broker, "operator", (client) => client.ready(PAYMENTS_DEAD)).catch(() => 0),
    ),
  );
  return ready.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

/** Letters that the ledger records as redriven. */
async function redriven(system: ChaosSystem): Promise<number> {
  return system.ledger.count("SELECT count(*) AS n FROM letters");
}
