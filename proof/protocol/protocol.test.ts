import { expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { quintWalk, successors } from "./quint.ts";
import { loadProtocol, run } from "./run.ts";
import { textOf } from "./values.ts";
import { VARIANTS } from "./variants.ts";

const SLOW_MS = 180_000;
const spec = loadProtocol();

test(
  "the protocol breaks no invariant, reaches every state, and breaks without each of its rules",
  () => {
    const lines: string[] = [];
    const flaws = run(spec, {
      runtime: realRuntime,
      seed: 1,
      protocolMs: 4_000,
      eachMs: 30_000, // it ends at the first walk that breaks or reaches something
      steps: false,
      print: (line) => lines.push(line),
    });
    expect(flaws).toEqual([]);
    expect(lines.filter((line) => line.startsWith("without")).length).toBe(VARIANTS.length);
    expect(new Set(VARIANTS.flatMap(({ without }) => without)).size).toBeGreaterThanOrEqual(12);
  },
  SLOW_MS,
);

test(
  "Quint's own simulator takes only steps that this one finds",
  () => {
    for (const init of ["initTail", "initCharges"]) {
      const states = quintWalk(spec, init, 40, 7);
      expect(states.length).toBeGreaterThan(20);
      for (let i = 1; i < states.length; i++) {
        const [from, to] = [states[i - 1], states[i]];
        if (from === undefined || to === undefined) throw new Error("a state is missing");
        expect(successors(spec, from).has(textOf(to))).toBe(true);
      }
    }
  },
  SLOW_MS,
);
