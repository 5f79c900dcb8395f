import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { burnAsStranger } from "../../test/burn.ts";
import { CpuWatch } from "./cpu.ts";

const BURN_MS = 4_000;

/** Burns all cores for a few seconds, as an unrelated process or as a child of this one. */
function burn(strangers: boolean): void {
  if (strangers) burnAsStranger(BURN_MS);
  else
    for (let i = 0; i < availableParallelism(); i++)
      Bun.spawn([
        process.execPath,
        "-e",
        `const end = Date.now() + ${BURN_MS}; while (Date.now() < end) {}`,
      ]);
}

async function sampled(orphans: boolean) {
  burn(orphans);
  await Bun.sleep(500);
  const watch = new CpuWatch(realRuntime, process.pid);
  await Bun.sleep(1_500);
  const sample = watch.sample();
  await Bun.sleep(2_500);
  return sample;
}

test.skipIf(process.platform !== "linux")(
  "CPU used by unrelated processes is told apart from our own",
  async () => {
    const strangers = await sampled(true);
    expect(strangers?.othersPercent).toBeGreaterThan(60);
    // Real unrelated processes may be running too: one of three samples must be free of them.
    const own: number[] = [];
    while (own.length < 3 && !(Math.min(...own) < (strangers?.othersPercent ?? 0) - 30))
      own.push((await sampled(false))?.othersPercent ?? 100);
    expect(Math.min(...own)).toBeLessThan((strangers?.othersPercent ?? 0) - 30);
  },
  40_000,
);

test("where the kernel has no figures, there is no sample", () => {
  expect(new CpuWatch(realRuntime, process.pid, "/nowhere").sample()).toBeUndefined();
});
