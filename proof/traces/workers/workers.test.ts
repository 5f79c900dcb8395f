// Real workers take walks through the specification, in the simulator.
import { afterAll, expect, test } from "bun:test";
import type { Spec } from "../../protocol/spec.ts";
import { loadWorkerSpec, openWorkerRig, type WorkerRig } from "./run.ts";

/** Parsing the specification takes seconds, and on a busy machine a minute. */
const SLOW_MS = 300_000;
let rig: WorkerRig | undefined;
let loaded: Spec | undefined;
const specOf = () => {
  loaded ??= loadWorkerSpec(["OWNERS", "CHARGES", "DOUBT", "TAIL"]);
  return loaded;
};
const rigOf = async () => {
  rig ??= await openWorkerRig();
  return rig;
};
afterAll(() => rig?.close());

const WALKS: readonly (readonly [scope: string, seed: number])[] = [
  ...([["OWNERS", 2] as const, ["CHARGES", 1] as const, ["DOUBT", 1] as const] as const),
  ...([["PROCESSES", 2] as const, ["PROCESSES", 3] as const] as const),
  ...([["GAPS", 5] as const, ["CHANNELS", 6] as const] as const),
];
const KINDS = [
  ...["take", "own", "check", "catchUp", "deliver", "decide", "record", "mark", "relay"],
  ...["begin", "reset", "load", "ready", "losesAll"],
  ...["look", "unpark", "dropped", "resubscribe"],
];

test(
  "real workers do what walks through the specification say",
  async () => {
    const seen = new Set<string>();
    for (const [scope, seed] of WALKS) {
      const walk = await (await rigOf()).walk(specOf(), { scope, seed, maxSteps: 60 });
      expect([scope, seed, walk.flaw]).toEqual([scope, seed, undefined]);
      for (const label of walk.labels) seen.add(label.replace(/\(.*/, ""));
    }
    for (const kind of KINDS) expect(seen).toContain(kind);
  },
  SLOW_MS,
);

test(
  "they do not follow the protocol without a rule that they keep",
  async () => {
    const without = ["tip"];
    const walk = await (await rigOf()).walk(specOf(), {
      ...{ scope: "TAIL", seed: 1, maxSteps: 60, without },
    });
    expect(walk.flaw).toEqual(expect.stringContaining("decide(0,0): redis 0 place"));
  },
  SLOW_MS,
);
