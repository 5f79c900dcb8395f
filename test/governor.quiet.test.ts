// Workers that slow down because of other programs' CPU load. It runs alone: other test files are
// such programs too.
import { afterEach, expect, test } from "bun:test";
import type { PaymentsReport } from "../core/domain/report.ts";
import { Members } from "../core/stores/members.ts";
import { burnAsStranger } from "./burn.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

let stack: Stack;
afterEach(() => stack.stop());

async function publish(shard: number): Promise<{ user: string; id: string }> {
  const { order, row } = makeOrder(userOf(shard), { a: 1 });
  await stack.publish(shard, [row]);
  return order;
}

test.skipIf(process.platform !== "linux")(
  "other programs' CPU load slows and pauses workers and charging; the last worker goes on",
  async () => {
    const env = { SLUICE_GOVERNOR_CPU: "25,35", SLUICE_GOVERNOR_PRESSURE: "10" };
    stack = await Stack.start({ env });
    await stack.sale({ a: 1_000 });
    const workers = [await stack.worker("one"), await stack.worker("two")].map((w) => w.worker);
    await stack.payments();
    const redis = await stack.client();
    const members = new Members(redis);
    const charging = async () => {
      const report = (await members.roles()).get("payments");
      return report === undefined ? undefined : (JSON.parse(report) as PaymentsReport).governor;
    };
    burnAsStranger(12_000);
    const states = () => workers.map((worker) => worker.report().governor.state).sort();
    await stack.until("one to pause, and the other to slow", () =>
      Bun.deepEquals(states(), ["paused", "slowed"]),
    );
    const reasons = workers.flatMap((worker) => worker.report().governor.reasons);
    expect(reasons).toContain("cpu_others_percent");
    await stack.until("charging to pause", async () => (await charging())?.state === "paused");
    expect((await charging())?.reasons).toContain("cpu_others_percent");
    const placed = [await publish(0), await publish(1)];
    for (const { user, id } of placed) await stack.decided(user, id);
    expect(states()).not.toContain("running"); // its neighbours are still busy
    await stack.until("both to run again", () => states().join() === "running,running", 40_000);
    for (const { user, id } of placed) await stack.becomes(user, id, "paid");
    const charges = async () => (await charging())?.state === "running";
    await stack.until("charging to resume", charges, 40_000);
    await redis.close();
  },
  90_000,
);
