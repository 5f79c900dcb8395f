// Runs one peer on its own stores and measures it: a warm-up with repeated orders, the measured
// run, the checks. Rates count while orders are submitted, CPU until the last one is recorded.
import { cpuSince, type Usage } from "../intake/usage.ts";
import { loadPeer, type PeerName } from "./list.ts";
import { Stores } from "./stores.ts";
import { PeerSystem } from "./system.ts";

export interface Measured {
  readonly ordersPerSecond: number;
  /** µs of CPU per order; without the load generator. */
  readonly cpuMicros: Readonly<Record<string, number>>;
  /** µs of CPU per order that the load generator took. */
  readonly generatorMicros: number;
  readonly orders: number;
  /** Behind HTTP only. */
  readonly p99Ms?: number;
  readonly violations: readonly string[];
}

export interface RunOptions {
  readonly dir: string;
  readonly seconds: number;
}

const WARM_UP_S = 4;

/** Starts a peer, lets `work` use it, and stops it. */
export async function withPeer<T>(
  name: PeerName,
  dir: string,
  work: (system: PeerSystem, stores: Stores) => Promise<T>,
): Promise<T> {
  const stores = await Stores.start(dir, (await loadPeer(name)).stores);
  try {
    const system = await PeerSystem.start(name, stores.places);
    try {
      return await work(system, stores);
    } finally {
      await system.stop();
    }
  } finally {
    await stores.stop();
  }
}

/** The peer as a library: the generator is in its front. */
export function measurePeer(name: PeerName, { dir, seconds }: RunOptions): Promise<Measured> {
  return withPeer(name, dir, async (system, stores) => {
    await system.drive({ seconds: WARM_UP_S, orders: Number.POSITIVE_INFINITY, twice: true });
    const warm = await system.drained();
    const generatorMicros = await system.generatorMicros();
    const before = usageOfAll(system, stores);
    const driven = await system.drive({ seconds, orders: Number.POSITIVE_INFINITY, twice: false });
    const orders = (await system.drained()) - warm;
    const cpuMicros = cpuSince(before, usageOfAll(system, stores), orders);
    return {
      ordersPerSecond: driven.recorded / driven.seconds,
      cpuMicros: { ...cpuMicros, front: (cpuMicros.front ?? 0) - generatorMicros },
      generatorMicros,
      orders,
      violations: await system.violations(),
    };
  });
}

export function usageOfAll(system: PeerSystem, stores: Stores): Map<string, Usage> {
  return new Map([...system.usage(), ...stores.usage()]);
}

export function inAll(cpuMicros: Readonly<Record<string, number>>): number {
  return Object.values(cpuMicros).reduce((sum, micros) => sum + micros, 0);
}
