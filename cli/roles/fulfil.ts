// The example fulfilment service: packs the parts it receives and keeps a list of them.
import { Fulfiller } from "../../consumers/fulfilment/fulfiller.ts";
import type { FulfilReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { PackingList } from "../../stubs/fulfil/packing-list.ts";
import type { Log } from "../log.ts";
import { competingGoverning } from "./governing.ts";
import { closeRegions, openRegions, openSpans, requireRegions } from "./parts.ts";
import { startReporting } from "./reporting.ts";
import type { RunningRole } from "./worker.ts";

export interface FulfilOptions {
  readonly service: string;
  /** Its packing list, shared by all processes of the service. */
  readonly file: string;
  /** How long a part takes. */
  readonly workMs: number;
}

export async function startFulfil(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
  { service, file, workMs }: FulfilOptions,
): Promise<RunningRole & { fulfiller: Fulfiller }> {
  requireRegions(settings);
  const regions = await openRegions(runtime, settings, log);
  const list = new PackingList(runtime, file);
  const spans = await openSpans(settings, "fulfil", id);
  const governing = competingGoverning(runtime, settings, log);
  const fulfiller = new Fulfiller({
    runtime,
    service,
    id,
    regions,
    shards: settings.shards,
    governing,
    spans,
    log,
    work: async (part) => {
      if (workMs > 0) await runtime.sleep(workMs);
      await list.pack(part);
    },
  });
  await fulfiller.start();
  const self = new Self(runtime, id);
  const report = (): FulfilReport => ({
    kind: "fulfil",
    ...self.report(),
    governor: governing.report(),
    service,
    parts: { ...fulfiller.counts },
  });
  const reporting = await startReporting(runtime, settings, log, {
    report,
    regions,
    self,
    governing,
  });
  log("fulfilment started", { id, service, file });
  return {
    fulfiller,
    stop: async () => {
      await fulfiller.stop();
      await reporting.stop();
      await spans?.close();
      await closeRegions(regions);
      list.close();
      log("fulfilment stopped", { id, ...fulfiller.counts });
    },
  };
}
