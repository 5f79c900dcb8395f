// sluice provider: runs a stub payment provider.

import { join, resolve } from "node:path";
import type { Command } from "commander";
import { countWords } from "../../core/domain/finding-words.ts";
import { messageOf } from "../../core/domain/message-of.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { BEHAVIOURS, parseShares, type Shares } from "../../stubs/provider/behaviour.ts";
import { startProvider } from "../../stubs/provider/server.ts";
import { whole } from "../arguments.ts";
import { stopSignals } from "../signals.ts";
import { UsageError } from "../usage.ts";

interface Options {
  readonly host: string;
  readonly port: number;
  readonly shares: Shares;
  readonly seed: number;
  readonly webhook?: string;
  readonly file?: string;
}

const DEFAULT_PORT = 8090;

const NAMES = BEHAVIOURS.join(", ");
const SHARES_HELP = `how often it misbehaves: decline=0.1,error_after=0.02,…; it knows ${NAMES}`;

function shares(text: string): Shares {
  try {
    return parseShares(text);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

export function register(program: Command): void {
  program
    .command("provider")
    .description("run a stub payment provider: it captures, refunds, and misbehaves on demand")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <n>", "port; 0 picks a free one", whole(0, 65_535), DEFAULT_PORT)
    .option("--shares <list>", SHARES_HELP, shares, {})
    .option("--seed <n>", "seed of the misbehaviour", whole(0, 2 ** 32 - 1), 1)
    .option(
      "--webhook <url>",
      "where it posts the results of charges: http://…/v1/payments/webhook",
    )
    .option("--file <path>", "its record of captures and refunds (default: under the data folder)")
    .action(run);
}

async function run(options: Options): Promise<void> {
  const settings = readSettings(process.env);
  const provider = await startProvider({
    runtime: realRuntime,
    file: options.file ?? join(resolve(settings.dataDir), "provider.jsonl"),
    host: options.host,
    port: options.port,
    shares: options.shares,
    seed: options.seed,
    webhookUrl: options.webhook,
    webhookSecrets: settings.webhookSecrets,
  });
  process.stderr.write(
    `provider at ${provider.url}, ${countWords(provider.book.charges.size, "charge")} on record\n`,
  );
  const signal = Promise.withResolvers<void>();
  for (const name of stopSignals()) process.once(name, () => signal.resolve());
  await signal.promise;
  await provider.stop();
  process.exit(0);
}
