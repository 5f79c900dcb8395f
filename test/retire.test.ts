// A sale that closed long ago, with nothing open, leaves Redis; later orders for it are
// `sale_closed`, and reads still work.
import { afterEach, expect, test } from "bun:test";
import { cancelRow, orderRow } from "../core/domain/row.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const SLOW_MS = 120_000;
const HOUR_MS = 3_600_000;
let stack: Stack;
afterEach(async () => stack?.stop());

const user = userOf(0);

async function place(seq = 0, more: { id?: string; acceptedAtMs?: number } = {}) {
  const { id = Bun.randomUUIDv7(), acceptedAtMs = Date.now() } = more;
  const { order } = makeOrder(user, { a: 1 }, { seq, id });
  await stack.publish(0, [orderRow(order, acceptedAtMs)]);
  return { id, state: (await stack.decided(user, id, 30_000)).state };
}

test(
  "a closed sale without open orders retires; later orders are sale_closed, even after a rebuild",
  async () => {
    stack = await Stack.start({
      env: {
        SLUICE_SNAPSHOT_ENTRIES: "1",
        SLUICE_DEDUP_WINDOW: "11m",
      },
    });
    await stack.sale({ a: 5 }, { limitPerUser: 2 });
    await stack.sale({ a: 5 }, { id: "s2" });
    const { worker } = await stack.worker("w1");
    await stack.until("all shards owned", () => worker.shards.length === SHARDS);
    const first = await place(1);
    expect(first.state).toBe("reserved");
    const close = {
      kind: "close",
      ref: "close",
      saleId: "s1",
      atMs: Date.now() - HOUR_MS,
    } as const;
    expect(await stack.ledger.operate(close, "test")).toBe("done");
    const retired = () => stack.events.some((e) => e.event === "sale retired");
    const client = await stack.client();
    const keys = async () => (await client.client.keys("*s1*")).sort();
    await stack.until("a snapshot", () => stack.events.some((e) => e.event === "snapshot made"));
    await Bun.sleep(6_000); // it is checked every five seconds
    // Its order is open, so it stays.
    expect(retired()).toBe(false);
    expect(await keys()).toEqual(["stock:s1", "{0}:bought:s1", "{0}:next:s1"]);
    await stack.publish(0, [cancelRow(user, first.id, Date.now())]);
    await stack.becomes(user, first.id, "cancelled");
    await stack.payments(); // answers its charge
    await stack.until("the sale to be retired", retired, 60_000);
    await stack.until("its keys to go", async () => (await keys()).length === 0);

    expect((await place(1)).state).toBe("sale_closed");
    expect((await place(7)).state).toBe("sale_closed");
    expect((await place(3)).state).toBe("sale_closed");
    // A redrive, for one, has the time at which its order was accepted.
    expect((await place(0, { acceptedAtMs: Date.now() - 2 * HOUR_MS })).state).toBe("sale_closed");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 5, held: 0, sold: 0 }]);
    const open = { kind: "open", ref: "open", saleId: "s1", atMs: 0 } as const;
    expect(await stack.ledger.operate(open, "test")).toBe("sale_retired");

    const rebuilt = stack.events.filter((e) => e.event === "redis rebuilt").length;
    await client.client.flushall();
    expect((await place(2)).state).toBe("sale_closed");
    const rebuilds = stack.events.filter((e) => e.event === "redis rebuilt").length;
    expect(rebuilds).toBe(rebuilt + 1);
    expect(await keys()).toEqual([]);
    expect(await client.client.smembers("stock:~retired")).toEqual(["s1"]);
    const other = makeOrder(user, { a: 1 }, { saleId: "s2" });
    await stack.publish(0, [other.row]);
    // It may be paid already.
    expect(["reserved", "paid"]).toContain((await stack.decided(user, other.order.id)).state);
    await client.close();
  },
  SLOW_MS,
);
