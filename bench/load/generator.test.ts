import { afterAll, expect, test } from "bun:test";
import { Generator, type LoadReport } from "./generator.ts";

/** Answers of a gateway under test: each order's, after a delay, and its outcome right after. */
interface Answers {
  readonly delayMs: (order: number) => number;
  readonly refuses?: (order: number) => boolean;
}

const servers: { stop(force: boolean): Promise<void> }[] = [];
afterAll(() => Promise.all(servers.map((server) => server.stop(true))));

/** A gateway that counts the orders it gets. */
function gateway({ delayMs, refuses = () => false }: Answers): {
  url: string;
  orders: () => number;
} {
  let orders = 0;
  const credit = 100;
  const server = Bun.serve<undefined>({
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request) ? undefined : new Response("no", { status: 400 }),
    websocket: {
      open: (ws) => void ws.send(JSON.stringify({ type: "ready", user: "s", credit })),
      message: async (ws, text) => {
        const { ref, order } = JSON.parse(String(text)) as { ref: string; order: { id: string } };
        const n = orders++;
        if (delayMs(n) > 0) await Bun.sleep(delayMs(n));
        if (refuses(n)) {
          const nacks = [[ref, order.id, { code: "shed" }]];
          ws.send(JSON.stringify({ type: "nacks", nacks, credit }));
          return;
        }
        ws.send(JSON.stringify({ type: "acks", acks: [[ref, order.id]], credit }));
        ws.send(JSON.stringify({ type: "outcomes", outcomes: [[order.id, "sold_out"]] }));
      },
    },
  });
  servers.push(server);
  return { url: String(server.url), orders: () => orders };
}

const slow = { rate: 20, sockets: 4, seconds: 1, warmUpSeconds: 0, spread: false };

async function run(
  answers: Answers,
  options = slow,
): Promise<{ last: LoadReport; orders: number }> {
  const reports: LoadReport[] = [];
  const { url, orders } = gateway(answers);
  const more = { url, token: "x", allReserved: false };
  const generator = new Generator({ ...options, ...more }, (report) => reports.push(report));
  await generator.connect();
  await generator.warmUp();
  await generator.run();
  const last = reports[reports.length - 1];
  if (!last?.end) throw new Error("no last report");
  return { last, orders: orders() };
}

test("an order that is answered at once has no latency, whatever the interval", async () => {
  const { last, orders } = await run({ delayMs: () => 0 });
  expect(orders).toBe(20);
  // The interval of a socket is 200 ms.
  expect(last.latency?.accepted.p50).toBeLessThan(60);
  expect(last.latency?.decided.count).toBe(20);
});

test("orders of the warm-up count in nothing", async () => {
  const cold = 20;
  const { last, orders } = await run(
    { delayMs: (n) => (n < cold ? 300 : 0), refuses: (n) => n < 2 || n === cold },
    { ...slow, warmUpSeconds: 1 },
  );
  expect(orders).toBe(40);
  const { offered, sent, accepted, decided, refused, missed } = last;
  expect({ offered, sent, accepted, decided, refused, missed }).toEqual({
    ...{ offered: 20, sent: 20, accepted: 19, decided: 19 },
    refused: { shed: 1 },
    missed: 0,
  });
  expect(last.latency?.accepted.max).toBeLessThan(200);
});

test("a slow second shows in its own slice, and the others stay fast", async () => {
  const { last } = await run({ delayMs: (n) => (n < 20 ? 250 : 0) }, { ...slow, seconds: 3 });
  const medians = last.slices?.map(({ accepted }) => accepted.p50) ?? [];
  expect(medians).toHaveLength(3);
  expect(medians[0]).toBeGreaterThan(240);
  expect(medians[2]).toBeLessThan(100);
});
