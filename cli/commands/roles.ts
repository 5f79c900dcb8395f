// sluice gateway, worker, payments, rates, sender: run one role in this process until a signal. A
// role loads only its own modules, which takes a third off the CPU time of most starts.
import type { Command } from "commander";
import { messageOf } from "../../core/domain/message-of.ts";
import { type Runtime, realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { makeLog } from "../log.ts";
import type { RunningRole } from "../roles/worker.ts";
import { stopSignals } from "../signals.ts";
import { registerRates } from "./rates.ts";

export function register(program: Command): void {
  program
    .command("gateway")
    .description("accept orders of one region over HTTP and WebSocket")
    .action(() =>
      runRole("gateway", async (...given) => {
        const { startGatewayRole } = await import("../roles/gateway.ts");
        return startGatewayRole(...given);
      }),
    );
  program
    .command("worker")
    .description("decide and record the orders of a share of the shards")
    .action(() =>
      runRole("worker", async (...given) => {
        const { startWorker } = await import("../roles/worker.ts");
        return startWorker(...given);
      }),
    );
  const rates = program
    .command("rates")
    .description("publish exchange rates from a file, a URL or a random walk (SLUICE_RATES_SOURCE)")
    .action(() =>
      runRole("rates", async (...given) => {
        const { startRates } = await import("../roles/rates.ts");
        return startRates(...given);
      }),
    );
  registerRates(rates);
  program
    .command("payments")
    .description("charge reserved orders with the payment provider")
    .action(() =>
      runRole("payments", async (...given) => {
        const { startPayments } = await import("../roles/payments.ts");
        return startPayments(...given);
      }),
    );
  program
    .command("sender")
    .description("send the events of orders to webhook endpoints ('sluice webhooks' lists them)")
    .action(() =>
      runRole("sender", async (...given) => {
        const { startSender } = await import("../roles/sender.ts");
        return startSender(...given);
      }),
    );
}

type Start = (
  runtime: Runtime,
  settings: ReturnType<typeof readSettings>,
  id: string,
  log: ReturnType<typeof makeLog>,
) => Promise<RunningRole>;

/** Shuts down gracefully on a stop signal; a second one ends it at once. */
export async function runRole(kind: string, start: Start): Promise<void> {
  // Two processes with the same name would share a queue or a lease, so a unique suffix is added.
  const id = `${process.env.SLUICE_ID ?? kind}-${realRuntime.uuid().slice(0, 8)}`;
  const log = makeLog(id);
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (error: unknown) => {
      const { message, stack } = error instanceof Error ? error : new Error(messageOf(error));
      log("crashed", { error: message, stack });
      process.exit(1);
    });
  }
  const role = await start(realRuntime, readSettings(process.env), id, log);
  const signal = Promise.withResolvers<NodeJS.Signals>();
  for (const name of stopSignals()) {
    process.on(name, () => {
      signal.resolve(name);
      process.once(name, () => process.exit(130));
    });
  }
  log("stopping", { signal: await signal.promise });
  await role.stop();
  process.exit(0);
}
