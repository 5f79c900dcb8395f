// Orders that wait for their number, as their buyer follows them over a WebSocket: each one
// reported `parked` is reported again.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeLog } from "../cli/log.ts";
import { startGatewayRole } from "../cli/roles/gateway.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings } from "../core/settings/settings.ts";
import { bearer, ISSUER, SECRET, TestSocket } from "../gateway/testing.ts";
import { Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const USERS = 40;
let stack: Stack;
let gateway: Awaited<ReturnType<typeof startGatewayRole>>;

beforeAll(async () => {
  stack = await Stack.start({
    env: {
      SLUICE_JWT_SECRET: SECRET,
      SLUICE_JWT_ISSUER: ISSUER,
      SLUICE_HTTP_PORT: "0",
      // On a machine that pauses, a gateway would shed orders that these tests send only once.
      ...{ SLUICE_TARGET_WAIT: "1m", SLUICE_LATE_GATEWAY: "1m" },
    },
  });
  await stack.sale({ a: 100_000 });
  const { worker } = await stack.worker("w1");
  await stack.until(
    "all shards owned and the sale in Redis",
    async () => worker.shards.length === 2 && (await stack.ledger.operationsOpen()).length === 0,
  );
  const silent = makeLog("gw", () => undefined);
  gateway = await startGatewayRole(realRuntime, readSettings(stack.env), "gw", silent);
}, TIMEOUT_MS);
afterAll(async () => {
  await gateway?.stop();
  await stack?.stop();
});

interface Placed {
  readonly id: string;
  readonly saleId: string;
  readonly seq: number;
  readonly currency: string;
  readonly lines: readonly { readonly sku: string; readonly qty: number }[];
}

const numbered = (seq: number): Placed => ({
  id: Bun.randomUUIDv7(),
  saleId: "s1",
  seq,
  currency: "EUR",
  lines: [{ sku: "a", qty: 1 }],
});

/** Each order's last reported state, once none is `parked`. */
async function lastNamed(socket: TestSocket, ids: readonly string[]): Promise<Map<string, string>> {
  const named = new Map<string, string>();
  const waiting = () => ids.filter((id) => (named.get(id) ?? "parked") === "parked");
  const over = Bun.sleep(15_000).then(() => "over" as const);
  while (waiting().length > 0) {
    const frame = await Promise.race([socket.next("outcomes"), over]);
    if (frame === "over") throw new Error(`${waiting().length} of ${ids.length} never reported`);
    for (const [id, state] of frame.outcomes as [string, string][]) named.set(id, state);
  }
  return named;
}

/** A fixed shuffle for each user. */
const shuffled = <T>(list: readonly T[], by: number): T[] =>
  list
    .map((value, i) => ({ value, at: ((i + 1) * (by * 7 + 3)) % 11 }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);

test(
  "orders with numbers in any order within a frame are each reported with their outcome",
  async () => {
    const { url } = gateway.gateway;
    await Promise.all(
      Array.from({ length: USERS }, async (_, n) => {
        const socket = await TestSocket.open(url, userOf(n % 2, n));
        const numbers = n === 0 ? [5, 3, 2, 1, 4] : shuffled([1, 2, 3, 4, 5], n);
        const orders = numbers.map(numbered);
        socket.send({ type: "orders", ref: "r", orders });
        const named = await lastNamed(
          socket,
          orders.map((o) => o.id),
        );
        expect([...named.values()]).toEqual(orders.map(() => "reserved"));
        socket.ws.close();
        if (n === 0) await agrees(url, userOf(0, 0), orders);
      }),
    );
  },
  TIMEOUT_MS,
);

/** The status and the event stream agree on each order, including its decision time. */
async function agrees(url: string, user: string, orders: readonly Placed[]): Promise<void> {
  const headers = await bearer(user);
  for (const { id, seq } of orders) {
    const status = await fetch(`${url}/v1/orders/${id}`, { headers });
    const { events, ...shown } = (await status.json()) as Record<string, unknown> & {
      events: { at: string; event: string }[];
    };
    expect(shown).toMatchObject({ status: "reserved" });
    if (events[0]) expect(shown.decidedAt).toBe(events[0].at);
    const stop = new AbortController();
    const stream = await fetch(`${url}/v1/orders/${id}/events`, { headers, signal: stop.signal });
    let text = "";
    for await (const part of stream.body as unknown as AsyncIterable<Uint8Array>) {
      text += new TextDecoder().decode(part);
      if (text.includes("event: reserved")) break;
    }
    stop.abort();
    // Numbers 5, 3 and 2 came before number 1, so they waited.
    const told = [...text.matchAll(/event: (\w+)/g)].map(([, event]) => event);
    expect(told).toEqual([2, 3, 5].includes(seq) ? ["parked", "reserved"] : ["reserved"]);
  }
}

test(
  "orders that a later frame releases are reported then",
  async () => {
    const { url } = gateway.gateway;
    await Promise.all(
      Array.from({ length: USERS }, async (_, n) => {
        const socket = await TestSocket.open(url, userOf(n % 2, 100 + n));
        const orders = shuffled([1, 2, 3, 4, 5], n).map(numbered);
        for (const order of orders) socket.send({ type: "order", ref: "r", order });
        const named = await lastNamed(
          socket,
          orders.map((o) => o.id),
        );
        expect([...named.values()]).toEqual(orders.map(() => "reserved"));
        socket.ws.close();
      }),
    );
  },
  TIMEOUT_MS,
);
