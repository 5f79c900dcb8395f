// What one order costs Redis: CPU time of its main thread, reading and answering included, by how
// many orders a call has.
import { buildLibrary } from "../../core/stores/library.ts";
import { freshBody, ITEMS, Scene, type Shard } from "./scene.ts";
import { STAGES } from "./stages.ts";

export const PER_CALL = [400, 200, 50, 1] as const;
/** Of the items, how many have units. In a rush one order in ten is reserved. */
const WORKLOADS = { "one in ten reserved": ITEMS / 10, "all reserved": ITEMS, "sold out": 0 };
const STANDARD = WORKLOADS["one in ten reserved"];
/**
 * Orders between two looks at the CPU time, and the most calls for them. The fastest tenth of these
 * slices counts, because other programs disturb the caches and so even CPU time.
 */
const SLICE_ORDERS = 2_000;
const SLICE_CALLS = 100;
const MIN_SLICES = 12;

/** µs of an order, in the order of PER_CALL. */
export type Row = readonly number[];

export interface DecideFigures {
  readonly perCall: readonly number[];
  readonly workloads: Readonly<Record<string, Row>>;
  /** With `recorded` after each call: what an order costs in all. */
  readonly recorded: Row;
  /** What each stage of the standard workload adds. */
  readonly stages: Readonly<Record<string, Row>>;
}

export interface DecideOptions {
  /** Orders for each figure. */
  readonly orders: number;
  readonly persistence: boolean;
}

export async function measureDecide(options: DecideOptions): Promise<DecideFigures> {
  const scene = await Scene.start(options.persistence);
  try {
    const workloads: Record<string, Row> = {};
    for (const [name, available] of Object.entries(WORKLOADS))
      workloads[name] = await row(scene, options, { available });
    const recorded = await row(scene, options, { available: STANDARD, record: true });
    return { perCall: PER_CALL, workloads, recorded, stages: await stages(scene, options) };
  } finally {
    await scene.stop();
  }
}

async function stages(scene: Scene, options: DecideOptions): Promise<Record<string, Row>> {
  const costs: Record<string, Row> = {};
  let before: Row = PER_CALL.map(() => 0);
  for (const [name, patch] of Object.entries(STAGES)) {
    const whole = await row(scene, options, { available: STANDARD, patch });
    costs[name] = whole.map((micros, i) => micros - (before[i] ?? 0));
    before = whole;
  }
  return costs;
}

interface Call {
  readonly available: number;
  readonly record?: boolean;
  readonly patch?: (source: string) => string;
}

async function row(scene: Scene, options: DecideOptions, call: Call): Promise<Row> {
  const row: number[] = [];
  for (const perCall of PER_CALL)
    row.push(
      await scene.with(buildLibrary(call.patch), call.available, (shard) =>
        micros(scene, shard, { perCall, record: call.record ?? false, orders: options.orders }),
      ),
    );
  return row;
}

async function micros(
  scene: Scene,
  shard: Shard,
  { perCall, record, orders }: { perCall: number; record: boolean; orders: number },
): Promise<number> {
  const calls = Math.min(SLICE_CALLS, Math.ceil(SLICE_ORDERS / perCall));
  const slices = Math.max(MIN_SLICES, Math.ceil(orders / SLICE_ORDERS));
  const costs: number[] = [];
  for (let slice = 0; slice <= slices; slice++) {
    const bodies = Array.from({ length: calls }, () => freshBody(perCall));
    const before = scene.cpuMicros();
    for (const body of bodies) await shard.decide(body, record);
    // The first slice warms up.
    if (slice > 0) costs.push((scene.cpuMicros() - before) / calls / perCall);
    await shard.trim();
  }
  costs.sort((a, b) => a - b);
  return costs[Math.floor(costs.length / 10)] as number;
}
