// sluice recover: decisions that only an operator can make. After a halt, because the ledger went
// back (for example, was restored from a backup) or belongs to another Redis, --accept-ledger makes
// the ledger the truth, and the workers rebuild Redis from it. After a broker lost messages,
// --ask-again publishes everything unfinished again.
import type { Command } from "commander";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { SettingError, type Settings } from "../../core/settings/settings.ts";
import { metaKey } from "../../core/stores/keys.ts";
import { openLedgerWriter } from "../../ledger/open.ts";
import { withLedger } from "../ledger.ts";
import { openRedis } from "../roles/parts.ts";

interface Options {
  readonly acceptLedger: boolean;
  readonly askAgain: boolean;
}

export function register(program: Command): void {
  program
    .command("recover")
    .description(
      "after a halt: accept the ledger as the truth; " +
        "after a broker lost messages: ask for charges and parts again",
    )
    .option(
      "--accept-ledger",
      "rebuild Redis from the ledger as it is; " +
        "orders that only Redis or the lost part of the ledger had are gone",
      false,
    )
    .option(
      "--ask-again",
      "publish unfinished charges, refunds and parts again; " +
        "harmless for those still on their way",
      false,
    )
    .action(recover);
}

async function recover({ acceptLedger, askAgain }: Options): Promise<void> {
  if (acceptLedger === askAgain)
    throw new SettingError("choose either --accept-ledger or --ask-again");
  await withLedger(({ settings }) => (askAgain ? again(settings) : forget(settings)));
}

async function forget(settings: Settings): Promise<void> {
  const redis = await openRedis(realRuntime, settings, () => undefined);
  const metas = Array.from({ length: settings.shards }, (_, shard) => metaKey(shard));
  await redis.run((client) => client.del(...metas));
  await redis.close();
  process.stdout.write(
    "Redis was cleared; the workers rebuild it from the ledger within seconds " +
      "(see: sluice workers).\n",
  );
}

async function again({ ledgerUrl }: Settings): Promise<void> {
  const writer = await openLedgerWriter(realRuntime, ledgerUrl);
  const asked = await writer.askAgain();
  await writer.close();
  process.stdout.write(
    `asking again for ${asked} charges, refunds and parts; ` +
      "the workers publish them within a second.\n",
  );
}
