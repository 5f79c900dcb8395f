// sluice bench scale: a matrix of short runs, each of which varies one dimension from a standard
// point. Every run has a system of its own.
import { join } from "node:path";
import { DEFAULT_SHARDS } from "../../core/domain/shard.ts";
import type { BenchLedger } from "../bench-ledger.ts";
import type { Conditions } from "../conditions.ts";
import { type Dimension, pointsOf } from "./dimensions.ts";
import { type Failed, type Measured, measure } from "./point.ts";

export interface ScaleOptions {
  readonly dir: string;
  readonly ledger: BenchLedger;
  readonly only: readonly Dimension[];
  readonly seconds: number;
  readonly say: (line: string) => void;
}

export interface ScaleResult extends Conditions {
  /** Of each run. */
  readonly seconds: number;
  readonly rows: Readonly<Partial<Record<Dimension, readonly (Measured | Failed)[]>>>;
}

export async function benchScale(options: ScaleOptions): Promise<ScaleResult> {
  const { dir, ledger, only, seconds, say } = options;
  const rows: Partial<Record<Dimension, (Measured | Failed)[]>> = {};
  let conditions: Conditions | undefined;
  for (const dimension of only) {
    const measured: (Measured | Failed)[] = [];
    rows[dimension] = measured;
    for (const point of pointsOf(dimension, DEFAULT_SHARDS)) {
      const place = { dir: join(dir, `${dimension}-${point[dimension]}`), ledger, seconds };
      const row = await measure(point, place, (found) => {
        conditions ??= found;
      });
      measured.push(row);
      say(`  ${dimension} ${point[dimension]}: ${progressOf(row)}`);
    }
  }
  if (!conditions) throw new Error("no run of the matrix could start");
  // What the first run varies is in its row; the page names the standard point.
  return { ...conditions, workers: 1, gateways: 1, shards: DEFAULT_SHARDS, seconds, rows };
}

function progressOf(row: Measured | Failed): string {
  if ("failed" in row) return row.failed;
  const rate = Math.round(row.decidedPerSecond).toLocaleString("en");
  return `decided ${rate}/s, ${row.cost.all.toFixed(1)} µs an order`;
}
