// sluice recover: decisions that only an operator can take. The ledger went back (restored from a
// backup, say), or belongs to another Redis, and everything has stopped: the ledger as it is now is
// the truth, and Redis is rebuilt from it by the workers. Or a broker has lost messages: what has
// no end yet is asked for once more.
import type { Command } from "commander";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, SettingError, type Settings } from "../../core/settings/settings.ts";
import { metaKey } from "../../core/stores/keys.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { openRedis, requireStores } from "../roles/parts.ts";

interface Options {
  readonly acceptLedger: boolean;
  readonly askAgain: boolean;
}

export function register(program: Command): void {
  program
    .command("recover")
    .description(
      "after a halt: take the ledger for the truth; after a broker lost messages: ask for charges and parts again",
    )
    .option(
      "--accept-ledger",
      "rebuild Redis from the ledger as it is: orders that only Redis or the lost part of the ledger knew are gone",
      false,
    )
    .option(
      "--ask-again",
      "publish charges, refunds and parts that have no end once more; harmless for those that are on their way",
      false,
    )
    .action(recover);
}

async function recover({ acceptLedger, askAgain }: Options): Promise<void> {
  if (acceptLedger === askAgain)
    throw new SettingError("say what is meant: --accept-ledger or --ask-again");
  const settings = readSettings(process.env);
  requireStores(settings);
  const ledger = await openLedger({
    runtime: realRuntime,
    url: settings.ledgerUrl,
    shards: settings.shards,
  });
  await (askAgain ? again(settings) : forget(settings));
  await ledger.close();
}

async function forget(settings: Settings): Promise<void> {
  const redis = await openRedis(realRuntime, settings, () => undefined);
  const metas = Array.from({ length: settings.shards }, (_, shard) => metaKey(shard));
  await redis.run((client) => client.del(...metas));
  await redis.close();
  process.stdout.write(
    "Redis forgets what it held; the workers rebuild it from the ledger within seconds (sluice workers shows it).\n",
  );
}

async function again({ ledgerUrl }: Settings): Promise<void> {
  const writer = await openLedgerWriter(realRuntime, ledgerUrl);
  const asked = await writer.askAgain();
  await writer.close();
  process.stdout.write(
    `${asked} charges, refunds and parts are asked for once more; the workers publish them within a second.\n`,
  );
}
