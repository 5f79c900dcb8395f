// POST /v1/orders of a gateway in a whole system, against a bare route of Bun.serve; both under wrk
// with the same requests. Only the CPU of the process that answers counts.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { SQLITE } from "../bench-ledger.ts";
import { benchHttp, type HttpResult, wrkOrders } from "../intake/http.ts";
import { linesOf } from "../intake/lines.ts";
import { usageOf } from "../intake/usage.ts";
import { costOf } from "../load/cost.ts";
import { onStack } from "../load/stack.ts";
import type { LimitOptions, LimitRow } from "./row.ts";

const CONNECTIONS = 256;
const ISSUER = { secret: "a secret that is long enough for it", issuer: "b", audience: "b" };
const ANY_WAIT_MS = 60_000;

/** None if wrk is not installed. */
export async function httpRows(options: LimitOptions): Promise<LimitRow[]> {
  const floor = await bareRoute(options);
  const gateway = await ordersRoute(options);
  if (!floor || !gateway) return [];
  const micros = costOf(gateway.cpuMicros).parts.gateway ?? Number.NaN;
  const what = `POST /v1/orders, gateway, ${CONNECTIONS} connections`;
  const floorMicros = floor.cpuMicros.bare ?? Number.NaN;
  const bare = "a bare Bun.serve route with request.json()";
  return [{ stage: "http", what, together: 1, micros, floor: bare, floorMicros }];
}

async function bareRoute({ dir, seconds }: LimitOptions): Promise<HttpResult | undefined> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "bare-server.ts")], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    const { value: port } = await linesOf(child.stdout).next();
    const url = `http://127.0.0.1:${port}`;
    const usage = () => new Map([["bare", usageOf(child.pid)]]);
    const plan = { dir, seconds, connections: CONNECTIONS };
    return await wrkOrders({ ...plan, url, issuer: ISSUER, usage });
  } finally {
    child.kill();
    await child.exited;
  }
}

function ordersRoute({ dir, seconds }: LimitOptions): Promise<HttpResult | undefined> {
  const place = join(dir, "http");
  mkdirSync(place, { recursive: true });
  const load = { targetWaitMs: ANY_WAIT_MS, workerRate: 0, say: () => undefined };
  const settings = { SLUICE_STALL_ORDERS: "1000000" };
  return onStack({ dir: place, ledger: SQLITE, ...load }, settings, (stack) =>
    benchHttp({ stack, dir: place, connections: CONNECTIONS, seconds }),
  );
}
