// sluice workers: the running workers, their shards, progress and governor state; pauses and
// resumes them manually.
import type { Command } from "commander";
import type { GovernorReport, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings, SettingError } from "../../core/settings/settings.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { withLedger } from "../ledger.ts";
import { commandLine, onRecord } from "../operator/on-record.ts";
import { workersByHand } from "../operator/workers-by-hand.ts";
import { print, printJson } from "../output.ts";
import { openRedis, requireStores } from "../roles/parts.ts";
import { table } from "../table.ts";

export function register(program: Command): void {
  const workers = program.command("workers").description("running workers, their shards and state");
  workers
    .command("list", { isDefault: true })
    .description(
      "list the running workers, as each last reported: a dead one stays for SLUICE_LEASE_TTL",
    )
    .option("--json", "print JSON", false)
    .action(({ json }: { json: boolean }) => onRedis((redis) => list(redis, json)));
  for (const what of ["pause", "resume"] as const) {
    workers
      .command(`${what} <worker>`)
      .description(
        what === "pause"
          ? "stop a worker ('*': all) from deciding; others take over its shards"
          : "let a paused worker decide again",
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
  const shown = [
    ...[...workers].map(([id, text]) => workerOf(id, JSON.parse(text) as WorkerReport, owners)),
    // Payment workers and services hold no shards, but the governor slows them too.
    ...[...roles].flatMap(([id, text]) => competingOf(id, JSON.parse(text) as RoleReport)),
  ];
  if (json) printJson({ workers: shown });
  else print(table(shown.map(rowOf)));
  if (shown.length === 0)
    process.stderr.write("nobody has reported in the last seconds: see 'sluice doctor'\n");
}

/** From its report. Values that its kind does not have are null. */
export interface ShownWorker {
  readonly id: string;
  readonly kind: "worker" | "payments" | "fulfil";
  /** Those it owns. */
  readonly shards: readonly number[] | null;
  readonly service: string | null;
  /** Orders or charges in flight. */
  readonly load: number | null;
  readonly lagMs: number | null;
  readonly unrecorded: number | null;
  readonly ledger: "up" | "away" | null;
  readonly state: string;
  readonly governor: Pick<GovernorReport, "state" | "reasons">;
}

export function workerOf(
  id: string,
  report: WorkerReport,
  owners: ReadonlyMap<number, string>,
): ShownWorker {
  const held = [...owners].filter(([, holder]) => holder === id).map(([shard]) => shard);
  const lags = report.shards.flatMap((s) => s.regions.map((r) => r.lagMs));
  const { unrecorded, ledger, state, governor } = report;
  return {
    ...{ id, kind: "worker" as const, shards: held.sort((a, b) => a - b), service: null },
    load: report.shards.reduce((sum, s) => sum + s.load, 0),
    lagMs: Math.max(0, ...lags),
    ...{ unrecorded, ledger, state, governor: shownGovernor(governor) },
  };
}

export function competingOf(id: string, report: RoleReport): ShownWorker[] {
  if (report.kind !== "payments" && report.kind !== "fulfil") return [];
  const { kind, governor } = report;
  return [
    {
      ...{ id, kind, shards: null, service: kind === "fulfil" ? report.service : null },
      load: kind === "payments" ? report.load : null,
      ...{ lagMs: null, unrecorded: null, ledger: null, state: "running" },
      governor: shownGovernor(governor),
    },
  ];
}

const shownGovernor = ({ state, reasons }: GovernorReport) => ({ state, reasons });

function rowOf(w: ShownWorker) {
  return {
    worker: w.id,
    shards: w.shards?.join(" ") ?? w.service ?? "charges",
    "in flight": w.load ?? "",
    "lag ms": w.lagMs ?? "",
    unrecorded: w.unrecorded ?? "",
    ledger: w.ledger ?? "",
    state: w.state,
    governor: [w.governor.state, ...w.governor.reasons].join(" "),
  };
}

async function byHand(redis: RedisStore, what: "pause" | "resume", worker: string): Promise<void> {
  const hand = workersByHand(redis);
  const done = await (what === "pause" ? hand.pause(worker, commandLine()) : hand.resume(worker));
  if (done.length === 0)
    throw new SettingError(`no worker '${worker}' is running; 'sluice workers' lists them`);
  // A worker learns of it at its next beat, and is listed as it was until then.
  const words = what === "pause" ? "pauses within a second" : "resumes within a second";
  process.stdout.write(`${done.map((id) => `${id} ${words}`).join("\n")}\n`);
}
