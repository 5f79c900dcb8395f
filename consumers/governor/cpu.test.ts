import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { CpuWatch } from "./cpu.ts";

const BURN = "const end = Date.now() + 4000; while (Date.now() < end) {}";

/** Burns all cores for a few seconds; `orphans` are no descendants of this process. */
function burn(orphans: boolean): void {
  for (let i = 0; i < availableParallelism(); i++) {
    const command = [process.execPath, "-e", BURN];
    // A shell that ends at once leaves its child to init.
    if (orphans) Bun.spawn(["sh", "-c", '"$@" & ', "sh", ...command], { stdio: ["ignore", "ignore", "ignore"] });
    else Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"] });
  }
}

async function sampled(orphans: boolean) {
  burn(orphans);
  await Bun.sleep(500);
  const watch = new CpuWatch(process.pid);
  await Bun.sleep(1_500);
  const sample = watch.sample();
  await Bun.sleep(2_500);
  return sample;
}

test.skipIf(process.platform !== "linux")(
  "what strangers burn is told from what our own processes do",
  async () => {
    const strangers = await sampled(true);
    expect(strangers?.othersPercent).toBeGreaterThan(60);
    const own = await sampled(false);
    expect(own?.othersPercent).toBeLessThan((strangers?.othersPercent ?? 0) - 30);
  },
  20_000,
);

test("where the kernel does not tell, there is no sample", () => {
  expect(new CpuWatch(process.pid, "/nowhere").sample()).toBeUndefined();
});
