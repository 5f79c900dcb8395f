// What a result was measured on, for its page: without it no figure can be compared.
import { cpus, totalmem } from "node:os";
import { realRuntime } from "../core/runtime/runtime.ts";
import type { RedisStore } from "../core/stores/redis.ts";
import type { Stack } from "../proof/demo/stack.ts";
import type { BenchLedger } from "./bench-ledger.ts";

export interface Conditions {
  readonly at: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryGb: number;
    readonly bun: string;
    readonly redis: string;
    readonly rabbitmq: string;
  };
  readonly ledger: string;
  /** Whether Postgres's CPU could be measured; a server elsewhere is not. */
  readonly ledgerCpu: boolean;
  /** What Redis writes to disk. */
  readonly redisPersistence: string;
  readonly shards: number;
  readonly gateways: number;
  readonly workers: number;
}

export async function conditionsOf(
  stack: Stack,
  redis: RedisStore,
  ledger: BenchLedger,
): Promise<Conditions> {
  const info = await redis.run((client) => client.info("server"));
  const count = (kind: string) => stack.fleet.roles.filter((role) => role.kind === kind).length;
  return {
    at: new Date(realRuntime.wallMs()).toISOString(),
    machine: {
      cpu: cpus()[0]?.model.replace(/ +/g, " ") ?? "unknown",
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 2 ** 30),
      bun: Bun.version,
      redis: /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown",
      rabbitmq: (await stack.services.brokers?.nodes[0]?.ctl("version"))?.trim() ?? "unknown",
    },
    ledger: ledger.name,
    ledgerCpu: ledger.kind === "sqlite" || ledger.pid !== undefined,
    redisPersistence: await persistenceOf(redis),
    shards: stack.shards,
    gateways: count("gateway"),
    workers: count("worker"),
  };
}

async function persistenceOf(redis: RedisStore): Promise<string> {
  const value = async (name: string): Promise<string> => {
    const [, found = ""] = (await redis.run((client) => client.config("GET", name))) as string[];
    return found;
  };
  const [file, sync, save] = [
    await value("appendonly"),
    await value("appendfsync"),
    await value("save"),
  ];
  const snapshots = save === "" ? [] : [`snapshots (${save})`];
  const kept = [...(file === "yes" ? [`append-only file, fsync ${sync}`] : []), ...snapshots];
  return kept.join(" and ") || "nothing written to disk";
}

/** The sentence under a page's title. */
export function conditionText(conditions: Conditions): string {
  const { at, machine, ledger, ledgerCpu, redisPersistence, shards } = conditions;
  const { gateways, workers } = conditions;
  const system = [many(gateways, "gateway"), many(workers, "worker"), many(shards, "shard")];
  return [
    `${at}, ${machine.cores} × ${machine.cpu}, ${machine.memoryGb} GiB, Bun ${machine.bun},`,
    `Redis ${machine.redis} (${redisPersistence}), RabbitMQ ${machine.rabbitmq},`,
    `ledger: ${ledger}${ledgerCpu ? "" : " on a server whose CPU is not counted"}.`,
    `${system.join(", ")}; stores and generator share these cores.`,
  ].join("\n");
}

function many(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}
