// What a role without stores runs beside its work: its report on the board, and its metrics.
import type { Governing } from "../../consumers/governor/governing.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import type { RoleReport } from "../../core/domain/report.ts";
import type { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Log } from "../log.ts";
import { openBoard } from "./board.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { brokersAway } from "./parts.ts";

export interface Reporting {
  readonly report: () => RoleReport;
  /** The role is ready while their brokers can be reached. */
  readonly regions: readonly RegionLink[];
  readonly self: Self;
  /** If manual pauses, read from the board, slow the role down. */
  readonly governing?: Governing;
}

export async function startReporting(
  runtime: Runtime,
  settings: Settings,
  log: Log,
  { report, regions, self, governing }: Reporting,
): Promise<{ stop(): Promise<void> }> {
  const board = await openBoard(runtime, settings, report, governing);
  const missing = () => brokersAway(regions);
  const metrics = startMetricsServer(settings, { runtime, report, missing }, log);
  return {
    stop: async () => {
      await board.stop();
      await metrics.stop();
      governing?.stop();
      self.stop();
    },
  };
}
