// sluice workers: the running workers, their shards, progress and governor state; pauses and
// resumes them manually.
import type { Command } from "commander";
import { plainJson } from "../../core/domain/plain.ts";
import type { GovernorReport, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, SettingError } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { withLedger } from "../ledger.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { workersByHand } from "../operator/workers-by-hand.ts";
import { openRedis, requireStores } from "../roles/parts.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  const workers = program.command("workers").description("running workers, their shards and state");
  workers
    .command("list", { isDefault: true })
    .description("list them")
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) => onRedis((redis) => list(redis, json)));
  for (const what of ["pause", "resume"] as const) {
    workers
      .command(`${what} <worker>`)
      .description(
        what === "pause"
          ? "stop deciding until resumed; other workers take over its shards ('*': all workers)"
          : "start deciding again",
      )
      .action((worker: string) =>
        withLedger(({ ledger }) =>
          onRecord(ledger, { action: `workers.${what}`, target: worker }, () =>
            onRedis((redis) => byHand(redis, what, worker)),
          ),
        ),
      );
  }
}

async function onRedis(work: (redis: RedisStore) => Promise<void>): Promise<void> {
  const settings = readSettings(process.env);
  requireStores(settings);
  const redis = await openRedis(realRuntime, settings, () => undefined);
  try {
    await work(redis);
  } finally {
    await redis.close();
  }
}

async function list(redis: RedisStore, json: boolean): Promise<void> {
  const members = new Members(redis);
  const [{ workers, owners }, roles] = await Promise.all([members.list(), members.roles()]);
  const rows: Record<string, string | number>[] = [...workers].map(([worker, text]) => {
    const report = JSON.parse(text) as WorkerReport;
    const held = [...owners].filter(([, holder]) => holder === worker).map(([shard]) => shard);
    const lags = report.shards.flatMap((s) => s.regions.map((r) => r.lagMs));
    return {
      worker,
      shards: held.sort((a, b) => a - b).join(" "),
      "in flight": report.shards.reduce((sum, s) => sum + s.load, 0),
      "lag ms": Math.max(0, ...lags),
      unrecorded: report.unrecorded,
      ledger: report.ledger,
      state: report.state,
      governor: governorWords(report),
    };
  });
  // Payment workers and services hold no shards, but the governor slows them too.
  for (const [id, text] of roles) {
    const report = JSON.parse(text) as RoleReport;
    if (report.kind !== "payments" && report.kind !== "fulfil") continue;
    const load = report.kind === "payments" ? report.load : "";
    const of = report.kind === "payments" ? "charges" : report.service;
    rows.push({
      worker: id,
      shards: of,
      "in flight": load,
      "lag ms": "",
      unrecorded: "",
      ledger: "",
      state: "running",
      governor: governorWords(report),
    });
  }
  process.stdout.write(json ? `${plainJson(rows)}\n` : table(rows));
}

function governorWords({ governor }: { readonly governor: GovernorReport }): string {
  return [governor.state, ...governor.reasons].join(" ");
}

async function byHand(redis: RedisStore, what: "pause" | "resume", worker: string): Promise<void> {
  const hand = workersByHand(redis);
  const done = await (what === "pause" ? hand.pause(worker, commandLine()) : hand.resume(worker));
  if (done.length === 0)
    throw new SettingError(`no worker '${worker}' is running; 'sluice workers' lists them`);
  process.stdout.write(`${done.map((id) => `${id} ${what}d`).join("\n")}\n`);
}
