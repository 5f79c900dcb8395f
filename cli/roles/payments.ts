import { PaymentWorker } from "../../consumers/payments/payment-worker.ts";
import { HttpProvider } from "../../consumers/payments/provider-client.ts";
import type { PaymentsReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import type { Log } from "../log.ts";
import { competingGoverning } from "./governing.ts";
import { closeRegions, openRegions, openSpans, requireRegions } from "./parts.ts";
import { startReporting } from "./reporting.ts";
import type { RunningRole } from "./worker.ts";

export async function startPayments(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
): Promise<RunningRole & { payments: PaymentWorker }> {
  requireRegions(settings);
  if (settings.providerUrl === "") throw new SettingError("SLUICE_PROVIDER_URL is not set");
  const regions = await openRegions(runtime, settings, log);
  const provider = new HttpProvider(runtime, settings.providerUrl, settings.providerTimeoutMs);
  const spans = await openSpans(settings, "payments", id);
  const governing = competingGoverning(runtime, settings, log);
  const { shards, unknownMaxMs, settleMaxMs } = settings;
  const payments = new PaymentWorker({
    runtime,
    id,
    regions,
    provider,
    shards,
    unknownMaxMs,
    settleMaxMs,
    governing,
    spans,
    log,
  });
  await payments.start();
  const self = new Self(runtime, id);
  const report = (): PaymentsReport => ({
    kind: "payments",
    ...self.report(),
    governor: governing.report(),
    breaker: payments.breakerState,
    failing: payments.health.failing,
    load: payments.load,
    answers: { ...payments.counts },
    call: provider.took.report(),
  });
  const reporting = await startReporting(runtime, settings, log, {
    report,
    regions,
    self,
    governing,
  });
  log("payments started", { id });
  return {
    payments,
    stop: async () => {
      await payments.stop();
      await reporting.stop();
      await spans?.close();
      await closeRegions(regions);
      log("payments stopped", { id });
    },
  };
}
