// sluice recover: the ledger went back (restored from a backup, say), or belongs to another Redis, and everything has stopped. The operator
// decides that the ledger as it is now is the truth; Redis is emptied of this store and rebuilt from it by the workers.
import type { Command } from "commander";
import { metaKey } from "../../core/keys.ts";
import { readSettings } from "../../core/settings.ts";
import { openLedger } from "../../ledger/open.ts";
import { openRedis, requireStores } from "../roles/parts.ts";

export function register(program: Command): void {
  program
    .command("recover")
    .description("after a halt: take the ledger as it is for the truth and rebuild Redis from it")
    .requiredOption("--accept-ledger", "orders that only Redis or the lost part of the ledger knew are gone: say that this is meant")
    .action(recover);
}

async function recover(): Promise<void> {
  const settings = readSettings(process.env);
  requireStores(settings);
  const ledger = await openLedger({ url: settings.ledgerUrl, shards: settings.shards });
  const redis = await openRedis(settings, () => undefined);
  const metas = Array.from({ length: settings.shards }, (_, shard) => metaKey(shard));
  await redis.run((client) => client.del(...metas));
  await redis.close();
  await ledger.close();
  process.stdout.write("Redis forgets what it held; the workers rebuild it from the ledger within seconds (sluice workers shows it).\n");
}
