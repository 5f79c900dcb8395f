// Redis's clock jumps two hours ahead for a moment, and Redis drops what has ended by it: records
// of decisions. The ledger knows the decisions; Redis must not drop anything that the ledger does
// not know.
import { afterEach, expect, test } from "bun:test";
import { cancelRow } from "../core/domain/row.ts";
import { hasCompiler, Shim } from "../proof/chaos/shim/shim.ts";
import { startRedis } from "../services/redis.ts";
import { testDir } from "./services.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const LIMIT_MS = 120_000;
const TWO_HOURS_S = 7_200;
/** The load of other programs must not matter here. */
const UNGOVERNED = Object.fromEntries(
  ["CPU", "LOOP", "REDIS", "LEDGER", "OUTBOX"].map((name) => [`SLUICE_GOVERNOR_${name}`, "off"]),
);

let stack: Stack;
afterEach(async () => stack?.stop(), LIMIT_MS);

test.if(hasCompiler())(
  "what Redis forgot while its clock was wrong changes no outcome, and no cancel",
  async () => {
    stack = await Stack.start({ env: UNGOVERNED });
    await stack.sale({ a: 100 });
    const { dir, port } = stack.redis;
    await stack.redis.kill();
    const shim = Shim.make(testDir("shim"), "control", dir);
    stack.redis = await startRedis(dir, { port, persistence: false, env: shim.env });
    const { worker } = await stack.worker("w1");
    await stack.until("all shards owned", () => worker.shards.length === SHARDS);
    const user = userOf(0);
    const [known, cancelled, next] = [{}, {}, {}].map(() => makeOrder(user, { a: 1 }));
    if (!known || !cancelled || !next) throw new Error("three orders");
    await stack.publish(0, [known.row, cancelRow(user, cancelled.order.id, Date.now())]);
    await stack.decided(user, known.order.id);

    const client = await stack.client();
    const records = () => client.run((c) => c.keys("{0}:seen:*"));
    expect(await records()).not.toEqual([]);
    shim.clock(TWO_HOURS_S);
    await stack.until("the records forgotten", async () => (await records()).length === 0);
    await Bun.sleep(1_000); // a few heartbeats
    shim.clock(0);
    await stack.publish(0, [cancelled.row]);
    expect((await stack.decided(user, cancelled.order.id, 60_000)).state).toBe("cancelled");
    // Only now: it makes the ledger notice the loss, and Redis is rebuilt.
    await stack.publish(0, [known.row, next.row]);
    expect((await stack.decided(user, next.order.id, 60_000)).state).toBe("reserved");
    expect((await stack.ledger.order(user, known.order.id))?.state).toBe("reserved");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 98, held: 2 }]);
    await client.close();
  },
  LIMIT_MS,
);
