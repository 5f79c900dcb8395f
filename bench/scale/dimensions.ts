// What `sluice bench scale` varies: one dimension at a time, from a standard point.

export interface Point {
  readonly workers: number;
  readonly gateways: number;
  readonly shards: number;
  readonly items: number;
  readonly users: number;
  /** Idle WebSockets beside the load. */
  readonly sockets: number;
  /** Orders per HTTP request; 0: single orders over WebSocket. */
  readonly batch: number;
}

export type Dimension = keyof Point;

export const STANDARD: Omit<Point, "shards"> = {
  workers: 1,
  gateways: 1,
  items: 10,
  users: 20_000,
  sockets: 0,
  batch: 0,
};

export const VALUES: Readonly<Record<Dimension, readonly number[]>> = {
  workers: [1, 2, 4],
  gateways: [1, 2, 4],
  shards: [1, 4, 16, 64],
  items: [10, 1_000, 100_000],
  users: [20_000, 1_000_000],
  sockets: [100, 1_000, 10_000],
  batch: [1, 50, 500],
};

export const DIMENSIONS = Object.keys(VALUES) as Dimension[];

/** A shard has one worker at a time, so the workers' rows have a shard for each. */
const WORKERS_SHARDS = Math.max(...VALUES.workers);

/** The points of a dimension; `shards` is the default number of a new store. */
export function pointsOf(dimension: Dimension, shards: number): Point[] {
  const enough = dimension === "workers" ? Math.max(shards, WORKERS_SHARDS) : shards;
  const base = { ...STANDARD, shards: enough };
  return VALUES[dimension].map((value) => ({ ...base, [dimension]: value }));
}
