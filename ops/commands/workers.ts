// sluice workers: who is alive, which shards each holds, and how far each shard has got.
import type { Command } from "commander";
import { Members } from "../../core/members.ts";
import { readSettings } from "../../core/settings.ts";
import { ShardStore } from "../../core/shard-store.ts";
import { openRedis, requireStores } from "../roles/parts.ts";
import { table } from "../table.ts";

interface Report {
  readonly load: number;
  readonly state: string;
  readonly ledger: string;
}

export function register(program: Command): void {
  program
    .command("workers")
    .description("living workers, their shards and state")
    .option("--json", "print JSON", false)
    .action(async ({ json }: { json: boolean }) => {
      const settings = readSettings(process.env);
      requireStores(settings);
      const redis = await openRedis(settings, () => undefined);
      const { workers, owners } = await new Members(redis).list();
      const shards = new ShardStore(redis);
      const outbox = await Promise.all(Array.from({ length: settings.shards }, (_, shard) => shards.outboxLength(shard)));
      await redis.close();
      const rows = [...workers].map(([worker, text]) => {
        const report = JSON.parse(text) as Report;
        const held = [...owners].filter(([, holder]) => holder === worker).map(([shard]) => shard);
        const unrecorded = held.reduce((sum, shard) => sum + (outbox[shard] ?? 0), 0);
        return {
          worker,
          shards: held.sort((a, b) => a - b).join(" "),
          "in hand": report.load,
          unrecorded,
          ledger: report.ledger,
          state: report.state,
        };
      });
      process.stdout.write(json ? `${JSON.stringify(rows)}\n` : table(rows));
    });
}
