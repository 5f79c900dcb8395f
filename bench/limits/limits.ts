// sluice bench limits: each stage of an order alone, against the least that the same work costs.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { gatewayRows } from "./gateway.ts";
import { httpRows } from "./http.ts";
import { ledgerRows } from "./ledger.ts";
import { rabbitRows } from "./rabbitmq.ts";
import { redisRows } from "./redis.ts";
import type { LimitOptions, LimitRow, Stage } from "./row.ts";

export interface LimitsOptions extends LimitOptions {
  readonly only: readonly Stage[];
  readonly say: (line: string) => void;
}

export interface LimitsResult {
  readonly at: string;
  readonly rows: readonly LimitRow[];
  /** Stages that could not be measured, and why. */
  readonly missing: Readonly<Partial<Record<Stage, string>>>;
}

const MEASURES: Readonly<Record<Stage, (options: LimitOptions) => Promise<LimitRow[]>>> = {
  gateway: gatewayRows,
  http: httpRows,
  rabbitmq: rabbitRows,
  redis: redisRows,
  ledger: ledgerRows,
};

export async function benchLimits(options: LimitsOptions): Promise<LimitsResult> {
  const { dir, seconds, only, say } = options;
  const rows: LimitRow[] = [];
  const missing: Partial<Record<Stage, string>> = {};
  for (const stage of only) {
    const place = join(dir, stage);
    mkdirSync(place, { recursive: true });
    try {
      const measured = await MEASURES[stage]({ dir: place, seconds });
      if (measured.length === 0) missing[stage] = "a program that it needs is not installed";
      for (const row of measured) say(`  ${progressOf(row)}`);
      rows.push(...measured);
    } catch (error) {
      missing[stage] = messageOf(error);
      say(`  ${stage}: ${missing[stage]}`);
    }
  }
  return { at: new Date(realRuntime.wallMs()).toISOString(), rows, missing };
}

function progressOf({ stage, together, micros, floorMicros }: LimitRow): string {
  const floor = floorMicros === undefined ? "" : `, floor ${floorMicros.toFixed(2)}`;
  return `${stage}, ${together} together: ${micros.toFixed(2)} µs an order${floor}`;
}
