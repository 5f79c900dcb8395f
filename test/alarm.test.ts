// A broker with an alarm blocks publishers. Its queues must still be drained, because that ends the
// alarm.
import { expect, test } from "bun:test";
import { ordersQueue } from "../broker/topology.ts";
import { startRabbit } from "../services/rabbitmq.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const MESSAGES = 60;
const ORDERS_A_MESSAGE = 5;
const ORDERS = MESSAGES * ORDERS_A_MESSAGE;

test("under an alarm queued orders are decided and recorded; follow-ups wait for it", async () => {
  const node = await startRabbit(testDir("alarmed"), { vhosts: ["eu"] });
  const stack = await Stack.start({ env: { SLUICE_REGIONS: `eu=${node.url("eu")}` } });
  const depthOf = async (queue: string) => {
    const columns = ["--no-table-headers", "--quiet", "name", "messages"];
    const lines = await node.ctl("list_queues", "-p", "eu", ...columns);
    const line = lines.split("\n").find((text) => text.startsWith(`${queue}\t`));
    return Number(line?.split("\t")[1]);
  };
  const alarmed = async () =>
    (await node.ctl("eval", "rabbit_alarm:get_alarms().")).includes("memory");
  try {
    const sale = await stack.sale({ a: 100_000 });
    for (let i = 0; i < MESSAGES; i++) {
      const rows = Array.from({ length: ORDERS_A_MESSAGE }, (_, j) =>
        makeOrder(userOf(0, (i * ORDERS_A_MESSAGE + j) % 50), { a: 1 }),
      );
      await stack.publish(
        0,
        rows.map(({ row }) => row),
      );
    }
    await node.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
    await stack.until("the alarm", alarmed, 60_000);

    await stack.worker("w1");
    await stack.until(
      "every order recorded",
      async () => heldOf(await stack.ledger.stock(sale.id)) === ORDERS,
      60_000,
    );
    await stack.until("an empty queue", async () => (await depthOf(ordersQueue(0))) === 0, 60_000);
    expect(await alarmed()).toBe(true);
    expect((await stack.ledger.followUps(0, ORDERS)).length).toBeGreaterThan(0);

    await node.ctl("set_vm_memory_high_watermark", "absolute", "2GB");
    await stack.until(
      "the follow-ups sent",
      async () => (await stack.ledger.followUps(0, 1)).length === 0,
      60_000,
    );
    // The node updates a queue's message count from time to time.
    await stack.until("them in their queue", async () => (await depthOf("payments")) > 0, 60_000);
    expect(await depthOf(ordersQueue(0))).toBe(0);
  } finally {
    await stack.stop();
    await node.kill();
  }
}, 300_000);

function heldOf(stock: readonly { held: number }[]): number {
  return stock.reduce((sum, { held }) => sum + held, 0);
}
