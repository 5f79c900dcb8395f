// Disks that are full or slow. The shim fakes this for the processes that write there, since a real
// disk cannot be filled for one of them only. To them it looks like a full file system: ENOSPC.
import { between, type Fault, type Injected } from "../fault.ts";
import type { Shim } from "../shim/shim.ts";
import type { ChaosRole, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";
import { redisWithShim, withShim } from "./shimmed.ts";

const SHOWN_MS = 25_000;
const RECOVERY_MS = 20_000;
const BROKER_RECOVERY_MS = 40_000;

const lasts = (random: () => number) => between(random, 5_000, 20_000);
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

const failed = (shim: Shim) =>
  until("a write that found the disk full", () => shim.counts.failed > 0, SHOWN_MS).then(
    () => `${shim.counts.failed} writes found the disk full`,
  );
const slowed = (shim: Shim) =>
  until("a slow sync", () => shim.counts.slowed > 0, SHOWN_MS).then(
    () => `${shim.counts.slowed} syncs took longer`,
  );

/** The roles that write to the SQLite ledger. */
const writers = (system: ChaosSystem): readonly ChaosRole[] => system.rolesOf("worker");

async function ledgerShim(system: ChaosSystem): Promise<Shim> {
  const { file } = system.ledger;
  if (file === undefined) throw new Error("the ledger has no file");
  return withShim(system, writers(system), file);
}

/** Until all workers together have logged the event more often than before. */
async function logged(system: ChaosSystem, event: string, before: number): Promise<string> {
  const more = async () => (await countOf(system, event)) - before;
  await until(`workers log '${event}'`, async () => (await more()) > 0, SHOWN_MS);
  return `workers logged '${event}' ${await more()} times`;
}

async function countOf(system: ChaosSystem, event: string): Promise<number> {
  const each = await Promise.all(writers(system).map((role) => role.events(event)));
  return each.reduce((sum, lines) => sum + lines.length, 0);
}

const ledgerFull: Fault = {
  name: "disk-full-ledger",
  what: "The disk of the SQLite ledger is full for 5 to 20 s, for every worker.",
  seen: "orders wait for their outcome, then 503 `shed`",
  needs: ["sqlite", "cc"],
  touches: ["ledger", "worker"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const shim = await ledgerShim(system);
    const before = await countOf(system, "ledger away");
    const lastsMs = lasts(random);
    shim.disk("full");
    return {
      lastsMs,
      detail: `no write for ${seconds(lastsMs)}`,
      evidence: async () => `${await failed(shim)}; ${await logged(system, "ledger away", before)}`,
      heal: async () => shim.disk("fine"),
    };
  },
};

const ledgerSlow: Fault = {
  name: "disk-slow-ledger",
  what: "Each sync of the SQLite ledger takes 0.1 to 1 s longer, for 5 to 20 s.",
  seen: "orders wait longer for their outcome; 503 `shed` beyond the target wait",
  needs: ["sqlite", "cc"],
  touches: ["ledger", "worker"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const shim = await ledgerShim(system);
    const [delayMs, lastsMs] = [between(random, 100, 1_000), lasts(random)];
    const before = await commits(system);
    shim.disk("slow", delayMs);
    return {
      lastsMs,
      detail: `${delayMs} ms more for ${seconds(lastsMs)}`,
      evidence: async () => `${await slowed(shim)}; ${await slowerSince(system, before)}`,
      heal: async () => shim.disk("fine"),
    };
  },
};

interface Commits {
  readonly sum: number;
  readonly count: number;
}

async function commits(system: ChaosSystem): Promise<Commits> {
  const [sum, count] = await Promise.all([
    system.metric("worker", "sluice_commit_seconds_sum"),
    system.metric("worker", "sluice_commit_seconds_count"),
  ]);
  return { sum, count };
}

async function slowerSince(system: ChaosSystem, before: Commits): Promise<string> {
  const after = await until(
    "a commit",
    async () => {
      const now = await commits(system);
      return now.count > before.count && now;
    },
    SHOWN_MS,
  );
  const meanMs = ((after.sum - before.sum) / (after.count - before.count)) * 1_000;
  return `${after.count - before.count} commits took ${Math.round(meanMs)} ms on average`;
}

/** Redis has an append-only file only while such a fault lasts. */
async function redisFile(system: ChaosSystem): Promise<Shim> {
  const shim = await redisWithShim(system);
  await system.redis.call("CONFIG", "SET", "appendonly", "yes");
  const ready = async () =>
    String(await system.redis.call("INFO", "persistence")).includes("aof_rewrite_in_progress:0");
  await until("Redis's file", ready, SHOWN_MS);
  return shim;
}

async function withoutFile(system: ChaosSystem, shim: Shim): Promise<void> {
  shim.disk("fine");
  await system.redis.call("CONFIG", "SET", "appendonly", "no");
}

const redisFull: Fault = {
  name: "disk-full-redis",
  what: "Redis cannot write its append-only file for 5 to 20 s, and refuses writes (MISCONF).",
  seen: "orders wait, then 503 `shed`",
  needs: ["cc"],
  touches: ["redis"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const shim = await redisFile(system);
    const lastsMs = lasts(random);
    shim.disk("full");
    return {
      lastsMs,
      detail: `no write for ${seconds(lastsMs)}`,
      evidence: async () => `${await failed(shim)}; ${await refusing(system)}`,
      heal: () => withoutFile(system, shim),
    };
  },
};

async function refusing(system: ChaosSystem): Promise<string> {
  const status = async () =>
    String(await system.redis.call("INFO", "persistence")).includes("aof_last_write_status:err");
  await until("Redis reports the error", status, SHOWN_MS);
  return "Redis reports aof_last_write_status:err";
}

const redisSlow: Fault = {
  name: "disk-slow-redis",
  what: "Each sync of Redis's append-only file takes 0.3 to 3 s longer, for 5 to 20 s.",
  seen: "nothing, or longer waits",
  needs: ["cc"],
  touches: ["redis"],
  recoveryMs: RECOVERY_MS,
  inject: async (system, random) => {
    const shim = await redisFile(system);
    const [delayMs, lastsMs] = [between(random, 300, 3_000), lasts(random)];
    shim.disk("slow", delayMs);
    return {
      lastsMs,
      detail: `${delayMs} ms more for ${seconds(lastsMs)}`,
      evidence: () => slowed(shim),
      heal: () => withoutFile(system, shim),
    };
  },
};

function brokerDisk(kind: "full" | "slow"): Fault {
  const full = kind === "full";
  return {
    name: `disk-${kind}-broker`,
    what: full
      ? "A RabbitMQ node finds its disk full for 5 to 20 s, below its own alarm's sight."
      : "Each sync of a RabbitMQ node takes 0.1 to 1 s longer, for 5 to 20 s.",
    seen: full ? "503 `unconfirmed`, then `unavailable`, in its regions" : "orders take longer",
    needs: ["cc"],
    touches: ["broker"],
    recoveryMs: BROKER_RECOVERY_MS,
    inject: (system, random) => injectBroker(system, random, kind),
  };
}

async function injectBroker(
  system: ChaosSystem,
  random: () => number,
  kind: "full" | "slow",
): Promise<Injected> {
  const nodes = [...new Set(system.brokers.flatMap((broker) => broker.nodes))];
  const node = nodes[between(random, 0, nodes.length - 1)];
  if (!node) throw new Error("no broker");
  const shim = await withShim(system, [node], node.dir);
  const [delayMs, lastsMs] = [between(random, 100, 1_000), lasts(random)];
  shim.disk(kind, kind === "slow" ? delayMs : 0);
  const how = kind === "slow" ? `${delayMs} ms more` : "no write";
  return {
    lastsMs,
    detail: `${node.name}: ${how} for ${seconds(lastsMs)}`,
    evidence: () => (kind === "slow" ? slowed(shim) : failed(shim)),
    heal: async () => {
      shim.disk("fine");
      if (kind === "slow") return;
      // A node whose log could not be written must be started again.
      await node.kill();
      await node.start();
    },
  };
}

export const DISK_FAULTS: readonly Fault[] = [
  ledgerFull,
  ledgerSlow,
  redisFull,
  redisSlow,
  brokerDisk("full"),
  brokerDisk("slow"),
];
