// A peer behind HTTP: wrk sends single orders. The user's name stands where Sluice has a signed
// token.
import { cpuSince } from "../intake/usage.ts";
import type { PeerName } from "./list.ts";
import { type Measured, type RunOptions, usageOfAll, withPeer } from "./run.ts";
import { wrkOf } from "./wrk.ts";

const WARM_UP_S = 4;

export function measurePeerHttp(name: PeerName, { dir, seconds }: RunOptions): Promise<Measured> {
  return withPeer(name, dir, async (system, stores) => {
    const url = `http://127.0.0.1:${await system.serve()}`;
    const wrk = await wrkOf(dir, (user) => user);
    await wrk(url, WARM_UP_S);
    const warm = await system.drained();
    const before = usageOfAll(system, stores);
    const answered = await wrk(url, seconds);
    const orders = (await system.drained()) - warm;
    const cpuMicros = cpuSince(before, usageOfAll(system, stores), orders);
    const { requests, not2xx, lost, p99 } = answered;
    const violations = await system.violations();
    if (not2xx + lost > 0) violations.push(`${not2xx} refused, ${lost} lost`);
    if (orders < requests) violations.push(`${requests} answered, ${orders} in the ledger`);
    return {
      ordersPerSecond: (requests - not2xx) / answered.seconds,
      cpuMicros,
      generatorMicros: answered.cpuMicros / orders,
      orders,
      p99Ms: p99,
      violations,
    };
  });
}
