// What the provider does to a charge unasked reaches the ledger: by a signed webhook, through a
// real gateway, the order's shard and its worker.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { makeLog } from "../cli/log.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { cancelRow } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import type { Provider, ProviderOptions } from "../stubs/provider/server.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "the one before"];
const OWN = {
  SLUICE_RETRY_DELAYS: "50ms,100ms,200ms",
  SLUICE_JWT_SECRET: "a secret that is long enough for HS256",
  SLUICE_WEBHOOK_SECRET: SECRETS.join(","),
  SLUICE_HTTP_PORT: "0",
  SLUICE_METRICS_PORT: "off",
};
let stack: Stack;
let gateway: Awaited<ReturnType<typeof startGatewayRole>>;

beforeEach(async () => {
  stack = await Stack.start({ env: OWN });
  await stack.sale({ a: 100 });
  await stack.worker("w1");
  const log = makeLog("gateway", () => undefined);
  gateway = await startGatewayRole(realRuntime, readSettings(stack.env), "g1", log);
}, TIMEOUT_MS);
afterEach(async () => {
  await gateway?.stop();
  await stack?.stop();
}, TIMEOUT_MS);

const payments = (options: Partial<ProviderOptions> = {}): Promise<Provider> =>
  stack.payments({
    webhookUrl: `${gateway.gateway.url}/v1/payments/webhook`,
    webhookSecrets: SECRETS.slice(0, 1),
    ...options,
  });

interface Placed {
  readonly user: string;
  readonly id: string;
}

async function paid(token: string): Promise<Placed> {
  const user = userOf(0);
  const { order, row } = makeOrder(user, { a: 1 }, { payment: token });
  await stack.publish(0, [row]);
  await stack.becomes(user, order.id, "paid");
  return { user, id: order.id };
}

const becomes = ({ user, id }: Placed, status: string) =>
  stack.until(
    `the charge to be ${status}`,
    async () => (await stack.ledger.attempt(user, id, 1, 1))?.status === status,
  );
const eventsOf = async ({ user, id }: Placed): Promise<string[]> =>
  (await stack.ledger.events(user, id)).map(({ event }) => event);

test.each(["returned", "disputed"])(
  "money that the provider takes back is %s in the ledger, once, with an event of its order",
  async (word) => {
    await payments();
    const order = await paid(`stub:${word}`);
    await becomes(order, word);
    expect((await eventsOf(order)).filter((event) => event === word)).toEqual([word]);
  },
  TIMEOUT_MS,
);

test(
  "a charge that the provider refunded is not refunded again when its order is cancelled",
  async () => {
    const provider = await payments();
    const order = await paid("stub:returned");
    await becomes(order, "returned");
    await stack.publish(0, [cancelRow(order.user, order.id, Date.now())]);
    await stack.becomes(order.user, order.id, "cancelled");
    expect(await eventsOf(order)).not.toContain("refund");
    expect([...provider.book.charges.values()]).toMatchObject([{ refundedBy: "provider" }]);
  },
  TIMEOUT_MS,
);

test(
  "a requested refund without an answer is settled by its webhook",
  async () => {
    await payments({ delays: { pendingMs: 200 } });
    const order = await paid("stub:refund_pending");
    await stack.publish(0, [cancelRow(order.user, order.id, Date.now())]);
    await becomes(order, "refunded");
    expect(await eventsOf(order)).not.toContain("returned");
  },
  TIMEOUT_MS,
);

test(
  "duplicate, late, forged, or signed with an expiring secret: each order is paid once",
  async () => {
    const provider = await payments({ webhookSecrets: ["a newer one", ...SECRETS.slice(1)] });
    const orders: Placed[] = [];
    for (const mood of ["twice", "late", "forged", "pending"])
      orders.push(await paid(`stub:${mood}`));
    const { counters } = gateway.gateway;
    await stack.until("all webhooks", () => {
      const { webhooks } = counters.report();
      const { taken = 0, no_news = 0, replay = 0, forged = 0 } = webhooks;
      return forged === 1 && taken + no_news + replay === 5;
    });
    expect(counters.report().webhooks).toMatchObject({ misfit: 0, unknown_kind: 0, not_ours: 0 });
    for (const order of orders) expect(await eventsOf(order)).toEqual(["paid"]);
    expect(provider.book.charges.size).toBe(4);
  },
  TIMEOUT_MS,
);
