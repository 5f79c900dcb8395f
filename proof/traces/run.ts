// Walks through the specification, repeated on the real stores.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../protocol/choices.ts";
import { loadSpec, type Spec } from "../protocol/spec.ts";
import type { Walk } from "../protocol/walk.ts";
import { walk } from "../protocol/walk.ts";
import { type RedisServer, startRedisServer } from "../simulate/world/redis-server.ts";
import { type Replayed, replayTrace } from "./replay.ts";
import { Stores } from "./stores.ts";
import { specState } from "./world-state.ts";

/** Made for this: as many attempts to charge as the code makes. */
export const SCOPE = "STORES";
const MAX_STEPS = 300;

export interface Rig {
  replay(trace: Walk): Promise<Replayed>;
  close(): Promise<void>;
}

/** One redis-server for all traces, which are repeated one after the other. */
export async function openTraceRig(): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), "sluice-traces-"));
  const server = await startRedisServer(dir);
  return {
    replay: (trace) => replayOn(server, trace),
    close: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function replayOn(server: RedisServer, trace: Walk): Promise<Replayed> {
  const stores = await Stores.create(server, specState(trace.first).scope.units);
  try {
    return await replayTrace(stores, trace);
  } finally {
    await stores.close();
  }
}

export function loadTraceSpec(names: readonly string[] = []): Spec {
  return loadSpec("protocol.qnt", ["first", "step", SCOPE, ...names], new Random(1));
}

/** A walk through the whole protocol. */
export function traceOf(spec: Spec, seed: number): Walk {
  const look = () => undefined;
  return walk(spec, { without: [], scope: SCOPE, look, maxSteps: MAX_STEPS }, seed);
}

export interface TracesOptions {
  readonly first: number;
  readonly count: number;
  readonly print: (line: string) => void;
}

/** Repeats walks until one differs. Returns what differs; empty: nothing. */
export async function runTraces({ first, count, print }: TracesOptions): Promise<string[]> {
  const spec = loadTraceSpec();
  const rig = await openTraceRig();
  const kinds = new Map<string, number>();
  let actions = 0;
  try {
    for (let seed = first; seed < first + count; seed++) {
      const replayed = await rig.replay(traceOf(spec, seed));
      if (replayed.flaw)
        return [`the walk of seed ${seed} and the stores differ: ${replayed.flaw}`];
      actions += replayed.actions;
      for (const [kind, times] of replayed.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + times);
    }
  } finally {
    await rig.close();
  }
  const counts = [...kinds].sort(([, a], [, b]) => b - a).map(([kind, n]) => `${n} ${kind}`);
  print(`the stores did the same: ${count} walks, ${actions} actions (${counts.join(", ")})`);
  return [];
}
