import type { RatesReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { RateService } from "../../stubs/rates/rate-service.ts";
import { openSource } from "../../stubs/rates/source.ts";
import type { Log } from "../log.ts";
import { openBoard } from "./board.ts";
import { startMetricsServer } from "./metrics-server.ts";
import { brokersAway, closeRegions, openRegions } from "./parts.ts";
import type { RunningRole } from "./worker.ts";

export async function startRates(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
): Promise<RunningRole> {
  if (settings.regions.length === 0) throw new SettingError("SLUICE_REGIONS is not set");
  const source = openSource(runtime, settings.ratesSource);
  const regions = await openRegions(runtime, settings, log);
  const service = new RateService({
    runtime,
    source,
    regions,
    everyMs: settings.ratesEveryMs,
    log,
  });
  await service.start();
  const self = new Self(runtime, id);
  const report = (): RatesReport => ({
    kind: "rates",
    ...self.report(),
    source: source.name,
    pairs: service.pairs,
    lastMs: service.lastMs,
  });
  const board = await openBoard(runtime, settings, report);
  const metrics = startMetricsServer(
    settings,
    {
      runtime,
      report,
      missing: () => brokersAway(regions),
    },
    log,
  );
  log("rates started", { id, source: source.name });
  return {
    stop: async () => {
      await service.stop();
      await board.stop();
      await metrics.stop();
      self.stop();
      await closeRegions(regions);
      log("rates stopped", { id });
    },
  };
}
