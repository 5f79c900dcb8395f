import { afterAll, expect, test } from "bun:test";
import { NAMES } from "../protocol/names.ts";
import { quintSteps } from "../protocol/quint.ts";
import { search } from "../protocol/search.ts";
import { VARIANTS } from "../protocol/variants.ts";
import { broken } from "../protocol/walk.ts";
import { loadTraceSpec, openTraceRig, type Rig, traceOf } from "./run.ts";

/** Parsing the specification takes seconds, and on a busy machine a minute. */
const SLOW_MS = 300_000;
let rig: Rig | undefined;
let loaded: ReturnType<typeof loadTraceSpec> | undefined;
const specOf = () => {
  loaded ??= loadTraceSpec(NAMES);
  return loaded;
};
const rigOf = async () => {
  rig ??= await openTraceRig();
  return rig;
};
afterAll(() => rig?.close());

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);
const KINDS = [
  ...["take", "own", "check", "catchUp", "decide", "record", "mark", "relay", "losesTail"],
  ...["losesAll", "backup", "ledgerGoesBack", "begin", "reset", "load", "ready"],
];

test(
  "the real stores do what walks through the specification say",
  async () => {
    const seen = new Set<string>();
    for (const seed of SEEDS) {
      const { flaw, kinds } = await (await rigOf()).replay(traceOf(specOf(), seed));
      expect([seed, flaw]).toEqual([seed, undefined]);
      for (const kind of kinds.keys()) seen.add(kind);
    }
    for (const kind of KINDS) expect(seen).toContain(kind);
  },
  SLOW_MS,
);

test(
  "and what a walk by Quint's own simulator says",
  async () => {
    const trace = quintSteps(specOf(), "initTail", 60, 7);
    const { flaw, actions } = await (await rigOf()).replay(trace);
    expect(flaw).toBeUndefined();
    expect(actions).toBeGreaterThan(5);
  },
  SLOW_MS,
);

/** Rules that Redis or the ledger keeps. */
const IN_STORES = [
  ...["dedup", "dedup once", "recognize", "chain", "ledgerFence", "redisFence", "tip", "stock"],
  ...["release", "halt", "parking", "parking numbers"],
];

test(
  "they do not follow a walk through the protocol without a rule that they keep",
  async () => {
    for (const rules of IN_STORES) {
      const { without, scope, breaks, seeds } = VARIANTS.find(
        (variant) => variant.without.join(" ") === rules,
      ) as (typeof VARIANTS)[number];
      const less = { without, scope, look: broken(specOf(), breaks) };
      const found = search(specOf(), less, { seeds, from: 1, more: () => true });
      if (!found) throw new Error(`nothing breaks without ${rules}`);
      const { flaw } = await (await rigOf()).replay(found.walk);
      expect([rules, flaw]).toEqual([rules, expect.any(String)]);
    }
  },
  SLOW_MS,
);
