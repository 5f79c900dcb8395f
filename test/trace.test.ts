// The trace named by a request stays with its order everywhere: row, parking, ledger, provider,
// dead letter, redrive, service.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { cancelRow, orderRow } from "../core/domain/row.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const traceOf = (n: number) => `00-${String(n).padStart(32, "a")}-b7ad6b7169203331-01`;

let stack: Stack;
/** Requests to the provider, and the trace of each. */
let asked: [path: string, order: string, trace: string | null][];
/** The trace of each look-up. */
let lookedUp: (string | null)[];
let status: number;
const WORDS: Record<string, string> = { "/v1/charges": "captured", "/v1/refunds": "refunded" };
let provider: ReturnType<typeof Bun.serve>;

beforeEach(async () => {
  asked = [];
  lookedUp = [];
  status = 200;
  provider = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url);
      const trace = request.headers.get("traceparent");
      if (request.method === "GET") {
        const key = decodeURIComponent(pathname.split("/").at(-1) as string);
        lookedUp.push(trace);
        return Response.json({ key, status: "none" }, { status: 404 });
      }
      const key = (request.headers.get("idempotency-key") ?? "").replace(/^refund\//, "");
      asked.push([pathname, key.split("/").at(-3) as string, trace]);
      const { amount, currency } = (await request.json()) as Record<string, unknown>;
      const word = status === 402 ? "declined" : WORDS[pathname];
      return Response.json({ key, amount, currency, status: word }, { status });
    },
  });
  stack = await Stack.start({ env: { SLUICE_RETRY_DELAYS: "50ms,50ms,50ms" } });
  await stack.sale({ a: 100 });
  await stack.worker("w1");
  await stack.payments({ env: { SLUICE_PROVIDER_URL: `http://127.0.0.1:${provider.port}` } });
}, TIMEOUT_MS);
afterEach(async () => {
  await stack?.stop();
  await provider?.stop(true);
}, TIMEOUT_MS);

async function place(n: number, seq = 0): Promise<{ user: string; id: string }> {
  const { order } = makeOrder(userOf(0), { a: 1 }, { seq });
  await stack.publish(0, [orderRow(order, Date.now(), traceOf(n))]);
  return order;
}

test(
  "from the request to the provider and the services; refunded under it",
  async () => {
    const { user, id } = await place(1);
    expect((await stack.becomes(user, id, "paid")).traceparent).toBe(traceOf(1));
    expect(await stack.take("fulfilment.unrouted", 1)).toMatchObject([
      [{ id, traceparent: traceOf(1) }],
    ]);
    await stack.publish(0, [cancelRow(user, id, Date.now())]);
    await stack.until("the refund", () => asked.length === 2);
    expect(asked).toEqual([
      ["/v1/charges", id, traceOf(1)],
      ["/v1/refunds", id, traceOf(1)],
    ]);
  },
  TIMEOUT_MS,
);

test(
  "an order that waited for its number, or behind another charge, keeps its trace",
  async () => {
    const third = await place(3, 3);
    const second = await place(2, 2);
    await stack.becomes(third.user, third.id, "parked");
    const first = await place(1, 1);
    for (const { user, id } of [first, second, third]) await stack.becomes(user, id, "paid");
    expect(asked).toEqual(
      [first, second, third].map(({ id }, i) => ["/v1/charges", id, traceOf(i + 1)]),
    );
    expect((await stack.ledger.order(third.user, third.id))?.traceparent).toBe(traceOf(3));
  },
  TIMEOUT_MS,
);

test(
  "each retry, the dead letter and the redrive have the same trace",
  async () => {
    status = 402;
    const { user, id } = await place(4);
    await stack.becomes(user, id, "payment_failed");
    expect(await stack.take("payments.dead", 1)).toMatchObject([{ id, traceparent: traceOf(4) }]);
    status = 200;
    const grant = await stack.ledger.grantRedrive(user, id, 1, "test");
    if (typeof grant === "string") throw new Error(grant);
    await stack.publish(0, [grant.row]);
    await stack.becomes(user, id, "paid");
    expect(asked).toEqual(Array(5).fill(["/v1/charges", id, traceOf(4)]));
  },
  TIMEOUT_MS,
);

test(
  "a charge asked for again after a rebuild keeps its trace",
  async () => {
    status = 503;
    const { user, id } = await place(5);
    await stack.becomes(user, id, "reserved");
    await stack.until("a first call", () => asked.length > 0);
    const redis = await stack.client();
    await redis.client.flushall();
    await redis.close();
    status = 200;
    await stack.becomes(user, id, "paid");
    const traces = [...asked.map(([, , trace]) => trace), ...lookedUp];
    expect(new Set(traces)).toEqual(new Set([traceOf(5)]));
    expect(await stack.take("fulfilment.unrouted", 1)).toMatchObject([
      [{ id, traceparent: traceOf(5) }],
    ]);
  },
  TIMEOUT_MS,
);
