import { expect, test } from "bun:test";
import type { Entry } from "../../core/domain/entry.ts";
import { Pacer } from "../../core/runtime/pacer.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import type { OwnerOptions } from "./owner-options.ts";
import { RecordedMark } from "./recorded-mark.ts";

const PACE_MS = 100;

/** A mark whose reports to Redis the test sees. */
function rig() {
  const runtime = new VirtualRuntime();
  const reports: number[] = [];
  const store = {
    recorded: async (_claim: unknown, _id: string, n: number) => {
      reports.push(n);
      return "recorded";
    },
  };
  const markPacer = new Pacer({ runtime, mostMs: () => PACE_MS, fullFrom: 50 });
  const options = { stores: { store }, shared: { markPacer }, log: () => undefined };
  const claim = { shard: 0, incarnation: 1, epoch: 1 };
  const mark = new RecordedMark(
    claim,
    { id: "e0", n: 0 },
    options as unknown as Pick<OwnerOptions, "stores" | "shared" | "clock" | "log">,
  );
  const record = (n: number) =>
    mark.recorded({ id: `e${n}`, n, messages: [], steps: [], released: [] } as unknown as Entry);
  return { runtime, reports, mark, record };
}

/** Entries 1 to 50, one every 20 ms. */
async function load(it: ReturnType<typeof rig>): Promise<void> {
  for (let n = 1; n <= 50; n++) {
    it.record(n);
    await it.runtime.advance(20);
  }
}

test("a single entry is reported to Redis at once", async () => {
  const it = rig();
  it.record(1);
  await it.runtime.advance(0);
  expect(it.reports).toEqual([1]);
});

test("under load Redis receives the newest entry only, once in an interval", async () => {
  const it = rig();
  await load(it);
  await it.runtime.advance(PACE_MS);
  expect(it.reports.length).toBeLessThanOrEqual(20);
  expect(it.reports.at(-1)).toBe(50);
  expect(it.mark.last).toEqual({ id: "e50", n: 50 });
});

test("a shard that is released reports what waits at once", async () => {
  const it = rig();
  await load(it);
  it.record(51);
  it.mark.flush();
  await it.runtime.advance(0);
  expect(it.reports.at(-1)).toBe(51);
});
