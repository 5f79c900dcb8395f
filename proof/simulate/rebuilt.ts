// At rest, Redis must hold what a rebuild from the ledger would load: a loss that went unnoticed
// shows here, even if nothing reads what is missing. The rebuild is the real one. It replaces the
// content, so this check comes last.
import { Announcement } from "../../consumers/rebuild/announcement.ts";
import { rebuild } from "../../consumers/rebuild/rebuild.ts";
import { metaKey, REBUILD_KEY, shardPrefix, stockKey } from "../../core/stores/keys.ts";
import { RebuildStore } from "../../core/stores/rebuild-store.ts";
import type { LedgerWriter, ShardPosition } from "../../ledger/contract.ts";
import { ask, storeOf } from "./looks.ts";
import { SimulatedProcess } from "./process.ts";
import { WAITS } from "./roles.ts";
import type { SimulatedWorld } from "./simulated-world.ts";

/** Keys without expiry times, each with its content in a form that can be compared. */
type Content = Map<string, unknown>;

/** Not loaded by a rebuild, or only with the chain's end in it. */
const OWN_WAY = /:(meta|outbox|freed)$/;
const MAX_SHOWN = 300;

/** Where Redis differs, as lines. */
export async function unlikeRebuilt(world: SimulatedWorld, saleId: string): Promise<string[]> {
  const positions = await positionsIn(world);
  const behind = await unlikeLedger(world, positions);
  const before = await contentOf(world, saleId);
  const result = await rebuildFrom(world, positions);
  if (result !== "rebuilt") return [...behind, `I2 a rebuild at rest ended as '${result}'`];
  return [...behind, ...differences(before, await contentOf(world, saleId))];
}

async function positionsIn({ sight }: SimulatedWorld): Promise<ShardPosition[]> {
  const rows = await sight.db.run("SELECT shard, epoch, last_id, last_n FROM shards");
  return rows.map(({ shard, epoch, last_id, last_n }) => ({
    ...{ shard: Number(shard), epoch: Number(epoch) },
    ...{ lastId: String(last_id), lastN: Number(last_n) },
  }));
}

/** The chains must end with the same entry. */
async function unlikeLedger(
  { parts }: SimulatedWorld,
  positions: readonly ShardPosition[],
): Promise<string[]> {
  const unlike: string[] = [];
  for (const { shard, lastId, lastN } of positions) {
    const command = ["HMGET", metaKey(shard), "tip", "n", "base", "basen"];
    const ends = ((await ask(parts.redis, command)) as string[]).join(" ");
    if (ends !== `${lastId} ${lastN} ${lastId} ${lastN}`)
      unlike.push(`I2 Redis ends shard ${shard} at ${ends}, the ledger at ${lastId} ${lastN}`);
  }
  return unlike;
}

async function rebuildFrom(
  { parts, sight, scheduler }: SimulatedWorld,
  shards: readonly ShardPosition[],
): Promise<string> {
  const runtime = new SimulatedProcess(scheduler, "rebuilder");
  const { ledger } = sight;
  await ask(parts.redis, ["DEL", REBUILD_KEY]);
  const from = await ledger.incarnation();
  const store = new RebuildStore(storeOf(parts.redis, runtime));
  const writer = { beginRebuild: async () => ({ incarnation: from + 1, shards }) };
  const { dedupWindowMs } = WAITS;
  return rebuild(
    {
      ...{ runtime, store, ledger, dedupWindowMs, now: parts.redis.nowMs },
      writer: writer as unknown as LedgerWriter,
      announcement: new Announcement(runtime, store),
      log: () => undefined,
    },
    from,
  );
}

function differences(before: Content, after: Content): string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names.flatMap((name) => {
    const [was, is] = [before, after].map((all) => JSON.stringify(all.get(name)) ?? "nothing");
    if (was === is) return [];
    return [`I2 Redis is not what a rebuild loads: ${name}: ${was}, not ${is}`.slice(0, MAX_SHOWN)];
  });
}

async function contentOf({ parts, shards }: SimulatedWorld, saleId: string): Promise<Content> {
  const content: Content = new Map();
  const run = (...command: string[]) => ask(parts.redis, command);
  content.set(stockKey(saleId), stockIn(pairs(await run("HGETALL", stockKey(saleId)))));
  for (let shard = 0; shard < shards; shard++) {
    const keys = (await run("KEYS", `${shardPrefix(shard)}*`)) as string[];
    for (const key of keys.filter((name) => !OWN_WAY.test(name))) {
      const found = comparable(key, await valueAt(run, key));
      if (found !== undefined) content.set(key, found);
    }
    withoutLeftOvers(content, shardPrefix(shard));
  }
  return content;
}

async function valueAt(run: (...command: string[]) => Promise<unknown>, key: string) {
  switch (await run("TYPE", key)) {
    case "hash":
      return pairs(await run("HGETALL", key));
    case "list":
      return (await run("LRANGE", key, "0", "-1")) as string[];
    case "zset":
      return pairs(await run("ZRANGE", key, "0", "-1", "WITHSCORES"));
    default:
      return run("GET", key);
  }
}

/** Units that are being released count as available: the ledger has recorded their return. */
function stockIn(stock: Map<string, string>): unknown {
  const units = (name: string) => Number(stock.get(name) ?? 0);
  return sorted(
    [...stock].flatMap(([name, value]) => {
      if (["v", "e"].includes(name) || name.endsWith(":r")) return [];
      const sku = name.slice(0, -2);
      return [[name, name.endsWith(":a") ? String(units(name) + units(`${sku}:r`)) : value]];
    }),
  );
}

/** undefined: the same as no such key. */
function comparable(key: string, value: unknown): unknown {
  if (!(value instanceof Map)) return value;
  const fields = [...(value as Map<string, string>)].filter(
    ([, text]) =>
      !(key.includes(":next:") && text === "1") && !(key.includes(":bought:") && text === "0"),
  );
  if (fields.length === 0) return undefined;
  // A mark has the time of its cancel, which a rebuild takes from the entry.
  return sorted(key.includes(":marks:") ? fields.map(([id]) => [id]) : fields);
}

/** Orders that were released or started leave their place in a list, to be skipped later. */
function withoutLeftOvers(content: Content, prefix: string): void {
  const open = new Map((content.get(`${prefix}open`) ?? []) as [string, string][]);
  const waits = (hold: string) =>
    /^reserved \d+ 0 /.test(open.get(hold.slice(hold.indexOf(" ") + 1)) ?? "");
  const holds = ((content.get(`${prefix}holds`) ?? []) as string[]).filter(waits);
  content.set(`${prefix}holds`, holds.sort());
  content.delete(`${prefix}fx`);
}

function pairs(flat: unknown): Map<string, string> {
  const list = flat as string[];
  return new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1] ?? ""]] : [])));
}

function sorted(fields: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...fields].sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
}
