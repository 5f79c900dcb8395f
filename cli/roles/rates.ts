import type { RatesReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { RateService } from "../../stubs/rates/rate-service.ts";
import { openSource } from "../../stubs/rates/source.ts";
import type { Log } from "../log.ts";
import { closeRegions, openRegions, requireRegions } from "./parts.ts";
import { startReporting } from "./reporting.ts";
import type { RunningRole } from "./worker.ts";

export async function startRates(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
): Promise<RunningRole> {
  requireRegions(settings);
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
  const reporting = await startReporting(runtime, settings, log, { report, regions, self });
  log("rates started", { id, source: source.name });
  return {
    stop: async () => {
      await service.stop();
      await reporting.stop();
      await closeRegions(regions);
      log("rates stopped", { id });
    },
  };
}
