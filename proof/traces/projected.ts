// What the specification and the real stores are compared by: Redis and the ledger, with the
// specification's names for entries and orders.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import type { Value } from "../protocol/values.ts";
import { ask } from "../simulate/looks.ts";
import type { Known } from "./names.ts";
import { SALE_ID, SHARDS, SKU, type Stores } from "./stores.ts";
import {
  at,
  membersOf,
  pairsOf,
  type SpecEntry,
  type SpecPlace,
  type SpecRow,
  type SpecState,
  shardIn,
} from "./world-state.ts";

/** What is looked at: Redis as it is, its outboxes, and the ledger. */
export interface Looked {
  readonly redis: Stores["redis"];
  readonly shards: Pick<Stores["shards"], "outbox">;
  readonly open: Pick<Stores["open"], "ledger" | "db">;
}

/** A name for each thing that is compared → its value as text. */
export type Projected = ReadonlyMap<string, string>;

const sorted = (items: readonly string[]): string => [...items].sort().join(" ");

export function projectedSpec(state: SpecState): Projected {
  const all = new Map<string, string>();
  const { redis, ledger } = state;
  for (const sh of SHARDS) {
    const s = shardIn(state, sh);
    const put = (what: string, value: string | number) =>
      all.set(`redis ${sh} ${what}`, `${value}`);
    put("state", s.state);
    if (s.state === "empty") continue;
    put("inc", s.inc);
    if (s.inc === 0) continue;
    put("place", `${s.epoch} ${s.tip} ${s.n} ${s.base} ${s.basen}`);
    if (s.state !== "open") continue;
    put("outbox", s.outbox.map(({ id, n }) => `${n}:${id}`).join(" "));
    put("seen", sorted(pairsOf(s.seen).map(([order, word]) => `${order}:${String(word)}`)));
    put("next", nextText(pairsOf(s.next)));
    put("parked", sorted(membersOf(s.parked).map((row) => (row as unknown as SpecRow).order)));
    put("lanes", sorted(pairsOf(s.lanes).map(([user, ids]) => `${user}:${String(ids)}`)));
    put("open", sorted(pairsOf(s.open).map(([order, o]) => `${order}:${attemptOf(o)}`)));
    put("freed", s.freed.map(({ n, qty }) => `${n}:${qty}`).join(" "));
  }
  if (SHARDS.every((sh) => shardIn(state, sh).state === "open"))
    all.set("redis stock", unitsText(redis.stock));
  all.set("ledger inc", `${ledger.inc}`);
  all.set("ledger stock", unitsText(ledger.stock));
  for (const sh of SHARDS) {
    const place = at<SpecPlace>(ledger.places, sh);
    const journal = at<readonly SpecEntry[]>(ledger.journal, sh);
    all.set(`ledger ${sh} place`, `${place.epoch} ${place.last} ${place.n}`);
    all.set(`ledger ${sh} journal`, journal.map(({ id, epoch }) => `${id}/${epoch}`).join(" "));
  }
  const orders = pairsOf(ledger.orders).map(([order, word]) => `${order}:${String(word)}`);
  all.set("ledger orders", sorted(orders));
  const charges = pairsOf(ledger.charges).map(([order, c]) => `${order}:${chargeOf(c)}`);
  all.set("ledger charges", sorted(charges));
  const requests = membersOf(ledger.requests).map((r) => {
    const { order, attempt } = r as unknown as { order: string; attempt: number };
    return `${order}/${attempt}`;
  });
  all.set("ledger requests", sorted(requests));
  return all;
}

/** Number 1 is due for a user without a record. */
function nextText(pairs: readonly (readonly [string, Value])[]): string {
  const known = pairs.map(([user, n]) => `${user}:${String(n)}`);
  return sorted(known.filter((text) => !text.endsWith(":1")));
}

const attemptOf = (open: Value): number => (open as unknown as { attempt: number }).attempt;
function chargeOf(charge: Value): string {
  const { attempt, status } = charge as unknown as { attempt: number; status: string };
  return `${attempt}/${status}`;
}

type Units = Record<"available" | "releasing" | "held" | "sold", number>;
const unitsText = ({ available, releasing, held, sold }: Units): string =>
  `${available} ${releasing} ${held} ${sold}`;

export async function projectedStores(stores: Looked, names: Known): Promise<Projected> {
  const all = new Map<string, string>();
  const counters = ["a", "r", "h", "s"].map((counter) => `${SKU}:${counter}`);
  const [open, units] = await Promise.all([
    Promise.all(SHARDS.map((sh) => projectShard(all, stores, names, sh))),
    list(stores, "HMGET", `stock:${SALE_ID}`, ...counters),
    projectLedger(all, stores, names),
  ]);
  if (open.every((is) => is)) all.set("redis stock", units.join(" "));
  return all;
}

/** Whether the shard is open. */
async function projectShard(
  all: Map<string, string>,
  stores: Looked,
  names: Known,
  sh: number,
): Promise<boolean> {
  const put = (what: string, value: string) => all.set(`redis ${sh} ${what}`, value);
  const fields = ["state", "inc", "epoch", "tip", "n", "base", "basen"];
  const [state, inc, epoch, tip, n, base, basen] = await list(
    stores,
    "HMGET",
    `{${sh}}:meta`,
    ...fields,
  );
  put("state", state ?? "empty");
  if (!state) return false;
  put("inc", inc ?? "0");
  if (!inc) return false;
  const place = `${names.epoch(epoch)} ${names.entry(tip)} ${n} ${names.entry(base)} ${basen}`;
  put("place", place);
  if (state !== "open") return false;
  const outbox = await stores.shards.outbox(sh, 0, 1_000);
  put("outbox", outbox.map((entry) => `${entry.n}:${names.entry(entry.id)}`).join(" "));
  const seen: string[] = [];
  for (const key of await keys(stores, `{${sh}}:seen:*`))
    for (const [field, record] of await hash(stores, key))
      seen.push(`${names.order(field)}:${record.split(" ")[1]}`);
  put("seen", sorted(seen));
  const next = await hash(stores, `{${sh}}:next:${SALE_ID}`);
  put("next", nextText(next));
  const parked: string[] = [];
  for (const key of await keys(stores, `{${sh}}:park:*`))
    for (const [, text] of await hash(stores, key)) {
      const { orders } = JSON.parse(text) as { orders: { order: string[] } };
      parked.push(names.order(orders.order[0] ?? ""));
    }
  put("parked", sorted(parked));
  const lanes: string[] = [];
  for (const key of await keys(stores, `{${sh}}:lane:*`)) {
    const user = key.slice(key.indexOf("lane:") + 5);
    const ids = await list(stores, "LRANGE", key, "0", "-1");
    lanes.push(`${user}:${ids.map((id) => names.order(`${user} ${id}`))}`);
  }
  put("lanes", sorted(lanes));
  const opened = (await hash(stores, `{${sh}}:open`)).flatMap(([field, record]) => {
    const [word, , attempt] = record.split(" ");
    return word === "reserved" ? [`${names.order(field)}:${attempt}`] : [];
  });
  put("open", sorted(opened));
  const freed = await list(stores, "LRANGE", `{${sh}}:freed`, "0", "-1");
  put("freed", freed.map((text) => text.replace(/^(\d+) \S+ \S+ (\d+)$/, "$1:$2")).join(" "));
  return true;
}

async function projectLedger(
  all: Map<string, string>,
  stores: Looked,
  names: Known,
): Promise<void> {
  const { ledger, db } = stores.open;
  const audit = await LedgerAudit.open(realRuntime, db);
  all.set("ledger inc", `${await ledger.incarnation()}`);
  for (const item of await ledger.stock(SALE_ID)) all.set("ledger stock", unitsText(item));
  for (const { shard, epoch, lastId, lastN } of await audit.shards()) {
    const place = `${names.epoch(epoch)} ${names.entry(lastId)} ${lastN}`;
    all.set(`ledger ${shard} place`, place);
    const journal: string[] = [];
    for await (const some of audit.entries(shard))
      journal.push(...some.map(({ id, epoch: at }) => `${names.entry(id)}/${names.epoch(at)}`));
    all.set(`ledger ${shard} journal`, journal.join(" "));
  }
  const orders: string[] = [];
  for await (const some of audit.orders())
    orders.push(...some.map(({ user, id, state }) => `${names.order(`${user} ${id}`)}:${state}`));
  all.set("ledger orders", sorted(orders));
  const charges = new Map<string, string>();
  for await (const some of audit.charges())
    for (const { user, id, attempt, status } of some)
      charges.set(names.order(`${user} ${id}`), `${status === "waiting" ? 0 : attempt}/${status}`);
  all.set("ledger charges", sorted([...charges].map(([order, text]) => `${order}:${text}`)));
  all.set("ledger requests", sorted((await requestsOf(stores, names)).map(({ name }) => name)));
}

/** Charges that the ledger still has to ask for. */
export async function requestsOf(
  stores: Looked,
  names: Known,
): Promise<{ readonly id: number; readonly name: string }[]> {
  const found: { id: number; name: string }[] = [];
  for (const sh of SHARDS)
    for (const { id, body } of await stores.open.ledger.followUps(sh, 1_000)) {
      const [asked] = JSON.parse(body) as [{ user: string; id: string; attempt?: number }];
      if (asked.attempt === undefined) continue; // a part
      found.push({ id, name: `${names.order(`${asked.user} ${asked.id}`)}/${asked.attempt}` });
    }
  return found;
}

/** The first thing in which they differ; undefined: none. */
export function difference(spec: Projected, real: Projected): string | undefined {
  for (const key of new Set([...spec.keys(), ...real.keys()])) {
    const [wanted, found] = [spec.get(key), real.get(key)];
    if (wanted !== found) return `${key}: specified ${wanted ?? "none"}, found ${found ?? "none"}`;
  }
  return undefined;
}

const list = (stores: Looked, ...command: string[]) =>
  ask(stores.redis, command) as Promise<string[]>;
const keys = async (stores: Looked, pattern: string): Promise<string[]> =>
  ((await ask(stores.redis, ["SCAN", "0", "MATCH", pattern])) as [string, string[]])[1];
async function hash(stores: Looked, key: string): Promise<[string, string][]> {
  const flat = await list(stores, "HGETALL", key);
  return flat.flatMap((field, i): [string, string][] =>
    i % 2 === 0 ? [[field, flat[i + 1] ?? ""]] : [],
  );
}
