// The role that sends webhooks. It needs the ledger, and the way out to the endpoints; Redis only
// to be seen by operators.
import { WebhookSender } from "../../consumers/webhooks/webhook-sender.ts";
import type { SenderReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import type { Log } from "../log.ts";
import { openBoard } from "./board.ts";
import { startMetricsServer } from "./metrics-server.ts";
import type { RunningRole } from "./worker.ts";

export async function startSender(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
): Promise<RunningRole & { sender: WebhookSender }> {
  const { ledgerUrl: url, shards, leaseMs } = settings;
  if (url === "") throw new SettingError("SLUICE_LEDGER_URL is not set");
  const ledger = await openLedger({ runtime, url, shards });
  const { webhookRetryMs: retryMs, webhookPauseAfterMs: pauseAfterMs } = settings;
  const sender = new WebhookSender({
    ...{ runtime, id, ledger, leaseMs, log },
    timeoutMs: settings.webhookTimeoutMs,
    privateAllowed: settings.webhookPrivate === "allow",
    times: { retryMs, pauseAfterMs, giveUpMs: settings.webhookGiveUpMs },
  });
  await sender.start();
  const self = new Self(runtime, id);
  const report = (): SenderReport => ({
    kind: "sender",
    ...self.report(),
    endpoints: sender.endpoints,
    pausedEndpoints: sender.paused,
    held: sender.held,
    deliveries: { ...sender.counts },
    call: sender.took.report(),
  });
  const board = await openBoard(runtime, settings, report);
  const missing = () => (sender.ledgerUp ? [] : ["ledger"]);
  const metrics = startMetricsServer(settings, { runtime, report, missing }, log);
  log("sender started", { id });
  return {
    sender,
    stop: async () => {
      await sender.stop();
      await board.stop();
      await metrics.stop();
      self.stop();
      await ledger.close();
      log("sender stopped", { id });
    },
  };
}
