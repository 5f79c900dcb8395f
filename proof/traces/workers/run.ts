// Walks that real workers take in the simulator, each in a world of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "../../../core/domain/at.ts";
import { Random } from "../../protocol/choices.ts";
import { loadSpec, type Spec } from "../../protocol/spec.ts";
import { firstState } from "../../protocol/walk.ts";
import { type RedisServer, startRedisServer } from "../../simulate/world/redis-server.ts";
import { specState } from "../world-state.ts";
import { Follower } from "./follower.ts";
import { type Guided, type GuidedOptions, guide } from "./guided.ts";
import { Stage } from "./stage.ts";

/** Definitions of the specification that a guided walk calls. */
export const GUIDED_NAMES = ["record", "recordStale", "catchUp", "relay"].concat([
  ...["resubscribe", "close"],
]);
/** Made for this: each fault that real workers can meet; missing numbers; broken connections. */
export const SCOPES = ["PROCESSES", "GAPS", "CHANNELS"] as const;
const MAX_STEPS = 150;

export interface WorkerRig {
  walk(spec: Spec, options: GuidedOptions): Promise<Guided>;
  close(): Promise<void>;
}

export async function openWorkerRig(): Promise<WorkerRig> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-workers-"));
  const server = await startRedisServer(dir);
  return {
    walk: (spec, options) => walkOn(server, spec, options),
    close: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function loadWorkerSpec(names: readonly string[] = []): Spec {
  const all = new Set(["first", "step", ...SCOPES, ...GUIDED_NAMES, ...names]);
  return loadSpec("protocol.qnt", [...all], new Random(1));
}

export interface WorkersOptions {
  readonly first: number;
  readonly count: number;
  readonly print: (line: string) => void;
}

/** Has workers take walks until one differs. Returns what differs; empty: nothing. */
export async function runWorkers({ first, count, print }: WorkersOptions): Promise<string[]> {
  const spec = loadWorkerSpec();
  const rig = await openWorkerRig();
  const kinds = new Map<string, number>();
  const left = new Map<string, number>();
  try {
    for (let seed = first; seed < first + count; seed++) {
      const scope = at(SCOPES, seed % SCOPES.length);
      const walk = await rig.walk(spec, { scope, seed, maxSteps: MAX_STEPS });
      if (walk.flaw) return [`the walk of seed ${seed} (${scope}): ${walk.flaw}`];
      for (const label of walk.labels) add(kinds, label.slice(0, label.indexOf("(")) || label, 1);
      for (const [reason, times] of walk.left) add(left, reason, times);
    }
  } finally {
    await rig.close();
  }
  const steps = [...kinds.values()].reduce((sum, n) => sum + n, 0);
  print(`real workers took ${count} walks, ${steps} steps (${countsOf(kinds)})`);
  for (const [reason, times] of left) print(`  drawn ${times} times and not taken: ${reason}`);
  return [];
}

function add(counts: Map<string, number>, name: string, times: number): void {
  counts.set(name, (counts.get(name) ?? 0) + times);
}

function countsOf(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([name, n]) => `${n} ${name}`).join(", ");
}

async function walkOn(server: RedisServer, spec: Spec, options: GuidedOptions): Promise<Guided> {
  const look = () => undefined;
  const first = firstState(spec, { without: [], ...options, look });
  const stage = await Stage.open(server, specState(first).scope.units);
  try {
    const guided = await guide(spec, new Follower(stage), options);
    const [error] = stage.scheduler.errors;
    return error && !guided.flaw ? { ...guided, flaw: `uncaught: ${error}` } : guided;
  } finally {
    await stage.close();
  }
}
