// The simulator finds faults that are planted into the code: `./sluice test planted`. Each takes
// half a minute, so CI leaves them out; `./sluice simulate --planted` looks for all of them.
import { expect, test } from "bun:test";
import { hunt } from "../proof/simulate/plant.ts";
import { PLANTED } from "../proof/simulate/planted.ts";

const TIMEOUT_MS = 120_000;
/** Faults that are found within a few seeds. */
const QUICK = ["no-stock-check", "no-dedup"];

test.each(QUICK)(
  "the planted fault %s is found",
  async (name) => {
    const planted = PLANTED.find((one) => one.name === name);
    if (!planted) throw new Error(`there is no planted fault ${name}`);
    const found = await hunt(planted, { first: 1, seeds: 50, forSeconds: 30 });
    expect(found.violation).not.toBe("");
  },
  TIMEOUT_MS,
);
