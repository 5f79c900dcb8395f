// Metrics that only the stores know: stock by item, Redis's health and memory. Gateways expose
// them, from the same overview the console uses.
import type { Overview } from "../domain/overview.ts";
import type { Family, Sample } from "./family.ts";

/** Items listed by name; the units of the rest are summed as `other`. */
export const MAX_ITEMS = 200;
const STATES = ["available", "releasing", "held", "sold"] as const;

export const STORES: readonly Family<Overview>[] = [
  {
    type: "gauge",
    name: "sluice_stock_units",
    help: "Units by item and state.",
    samples: stockSamples,
  },
  {
    type: "gauge",
    name: "sluice_redis_up",
    help: "Whether Redis answers.",
    samples: (o) => [[{}, o.redis.state === "up" ? 1 : 0]],
  },
  {
    type: "gauge",
    name: "sluice_redis_refuses",
    help: "1 while Redis answers and takes no writes.",
    samples: (o) => known(o, o.redis.refuses ? 1 : 0),
  },
  {
    type: "gauge",
    name: "sluice_redis_used_memory_bytes",
    help: "Memory Redis uses.",
    samples: (o) => known(o, o.redis.usedBytes),
  },
  {
    type: "gauge",
    name: "sluice_redis_max_memory_bytes",
    help: "Memory Redis may use; 0: no limit known.",
    samples: (o) => known(o, o.redis.maxBytes),
  },
  {
    type: "gauge",
    name: "sluice_shards_owned",
    help: "Shards owned by a worker.",
    samples: (o) => known(o, o.owners.length),
  },
  {
    type: "gauge",
    name: "sluice_shards",
    help: "Shards in total.",
    samples: (o) => [[{}, o.shardCount]],
  },
];

/** Values from Redis are left out while it is away: unknown is not zero. */
function known({ redis }: Overview, value: number | null): readonly Sample[] {
  return redis.state === "up" && value !== null ? [[{}, value]] : [];
}

function stockSamples({ sales, redis }: Overview): readonly Sample[] {
  if (redis.state === "away") return [];
  const samples: Sample[] = [];
  const rest = { available: 0, releasing: 0, held: 0, sold: 0 };
  let items = 0;
  for (const sale of sales) {
    for (const item of sale.items) {
      if (item.total === null) continue;
      const known = items++ < MAX_ITEMS;
      for (const state of STATES)
        if (known) samples.push([{ sale: sale.id, sku: item.sku, state }, item[state] ?? 0]);
        else rest[state] += item[state] ?? 0;
    }
  }
  if (items > MAX_ITEMS)
    for (const state of STATES) samples.push([{ sale: "other", sku: "other", state }, rest[state]]);
  return samples;
}
