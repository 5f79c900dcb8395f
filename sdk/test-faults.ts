// The faults that both clients' long tests are put through: gateways that are killed in the middle
// of requests, and a broker that restarts.
import { freePorts } from "../services/ports.ts";
import type { Child } from "../services/processes.ts";
import { startRabbit } from "../services/rabbitmq.ts";
import { testDir } from "../test/services.ts";
import type { Stack } from "../test/stack.ts";
import { until } from "../test/until.ts";

const LIMIT_MS = 240_000;
/** After how many placed orders the next fault strikes. */
const EVERY = 40;

export async function trouble(ends: (() => Promise<unknown>)[]) {
  const rabbit = await startRabbit(testDir("sdk-rabbit"), { vhosts: ["eu"] });
  let broker = rabbit;
  ends.push(() => broker.kill());
  const ports = await freePorts(2);
  const children = new Map<number, Child>();
  let spawn: (port: number) => Child;
  const start = (port: number) => children.set(port, spawn(port));
  return {
    env: { SLUICE_REGIONS: `eu=${rabbit.url("eu")}` },
    /** Two gateways, each a process; returns their addresses. */
    gateways: async (stack: Stack): Promise<string[]> => {
      spawn = (port) => stack.spawn("gateway", { SLUICE_HTTP_PORT: String(port) });
      for (const port of ports) start(port);
      return ports.map((port) => `http://127.0.0.1:${port}`);
    },
    /** Orders are under way at any time, so each fault strikes in the middle of requests. */
    strike: async (placed: () => number): Promise<void> => {
      const [first, second] = ports as [number, number];
      for (const [n, port] of [first, second, first].entries()) {
        await until("the next orders", () => placed() >= EVERY * (n + 1), LIMIT_MS);
        await children.get(port)?.kill();
        start(port);
      }
      await until("the next orders", () => placed() >= EVERY * 4, LIMIT_MS);
      await broker.kill();
      broker = await rabbit.again();
    },
  };
}
