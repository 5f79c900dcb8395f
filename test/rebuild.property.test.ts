// The real rebuild after any history: skips, abandoned gaps, forced decisions, expired holds,
// cancels, answers, claims, redrives, missing rates, in mixed batches. Afterwards Redis must hold
// the same as before, key by key.
import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { firstIdOf } from "../consumers/orders/seen.ts";
import { Announcement } from "../consumers/rebuild/announcement.ts";
import { rebuild } from "../consumers/rebuild/rebuild.ts";
import { Replayed } from "../consumers/rebuild/replayed.ts";
import { encode, SNAPSHOT_VERSION } from "../consumers/rebuild/snapshot.ts";
import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import { newEntryId } from "../core/domain/entry-id.ts";
import type { Row } from "../core/domain/row.ts";
import {
  answer,
  Bench,
  cancel,
  part,
  redrive,
  row,
  SALE_ID,
  STORE_ID,
  skip,
  WINDOW_MS,
} from "../core/lua/testing.ts";
import { realRuntime } from "../core/runtime/runtime.ts";

let bench: Bench | undefined;
afterAll(async () => bench?.close());
const RUNS = Number(process.env.PROPERTY_RUNS ?? 200);
const IDS = Array.from({ length: 8 }, () => Bun.randomUUIDv7());
const UNITS = 12;

const user = fc.constantFrom("u1", "u2");
const idIndex = fc.integer({ min: 0, max: IDS.length - 1 });
const seq = fc.integer({ min: 0, max: 6 });
const happening = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("order" as const),
      user,
      idIndex,
      seq,
      qty: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("skip" as const),
      user,
      seq: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), user, idIndex }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("foreign" as const),
      user,
      idIndex,
      seq,
      qty: fc.constant(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("redrive" as const),
      user,
      idIndex,
      generation: fc.integer({ min: 2, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("part" as const),
      user,
      idIndex,
      at: fc.integer({ min: 1, max: 2 }),
      word: fc.constantFrom("claim" as const, "done" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("answer" as const),
      user,
      idIndex,
      attempt: fc.integer({ min: 1, max: 4 }),
      word: fc.constantFrom("captured" as const, "failed" as const, "unknown" as const),
    }),
  },
);
const move = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("decide" as const),
      rows: fc.array(fc.array(happening, { minLength: 1, maxLength: 5 }), {
        minLength: 1,
        maxLength: 2,
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("force" as const),
      user,
      idIndex,
      seq,
      word: fc.constantFrom("rejected" as const, "stale" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("unpark" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reprice" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("commit" as const) }) },
);

function rowOf(r: typeof happening extends fc.Arbitrary<infer T> ? T : never): Row {
  if (r.kind === "skip") return skip(r.user, r.seq);
  const id = at(IDS, r.idIndex);
  if (r.kind === "order") return row(r.user, { a: r.qty }, { id, seq: r.seq });
  if (r.kind === "foreign") return row(r.user, { a: r.qty }, { id, seq: r.seq, currency: "USD" });
  if (r.kind === "redrive") return redrive(row(r.user, { a: 1 }, { id }), r.generation);
  if (r.kind === "part") return part(r.user, id, r.word, "depot", r.at, 2);
  return r.kind === "cancel" ? cancel(r.user, id) : answer(r.user, id, r.attempt, r.word);
}

type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** A redrive is granted only once the ledger has the failed payment. */
async function decideAll(
  b: Bench,
  messages: readonly (readonly Happening[])[],
): Promise<Entry | undefined> {
  const failed = new Set<string>();
  for (const key of await b.redis.client.keys("{0}:seen:*")) {
    for (const [name, record] of Object.entries(await b.redis.client.hgetall(key)))
      if (record.endsWith(" payment_failed")) failed.add(name);
  }
  const granted = (r: Happening) =>
    r.kind !== "redrive" || failed.has(`${r.user} ${IDS[r.idIndex]}`);
  const rows = messages
    .map((message) => message.filter(granted).map(rowOf))
    .filter((message) => message.length > 0);
  return rows.length === 0 ? undefined : (await b.decide(rows)).entry;
}

async function dump(b: Bench): Promise<Record<string, unknown>> {
  const { client } = b.redis;
  const all: Record<string, unknown> = {};
  for (const key of (await client.keys("{0}:*")).sort()) {
    if (/:(meta|outbox|freed)$/.test(key)) continue;
    const type = await client.type(key);
    if (type === "hash") {
      const hash = await client.hgetall(key);
      const parsed = Object.entries(hash).map(([f, v]) => [
        f,
        key.includes(":park:") && v !== "skip" ? JSON.parse(v) : v,
      ]);
      all[key] = Object.fromEntries(
        parsed.filter(
          ([, v]) =>
            !(key.includes(":next:") && v === "1") && !(key.includes(":bought:") && v === "0"),
        ),
      );
    } else if (type === "list")
      all[key] = (await client.lrange(key, 0, -1)).map((text) =>
        key.endsWith(":fx") ? JSON.parse(text) : text,
      );
    else if (type === "zset") {
      const flat = await client.zrange(key, 0, "-1", "WITHSCORES");
      all[key] = Object.fromEntries(
        flat.flatMap((m, i) => (i % 2 === 0 ? [[m, flat[i + 1]]] : [])),
      );
      if (key.includes(":marks:")) all[key] = Object.keys(all[key] as object).sort();
    } else all[key] = await client.get(key);
    if (all[key] && typeof all[key] === "object" && Object.keys(all[key] as object).length === 0)
      delete all[key];
  }
  const open = (all["{0}:open"] ?? {}) as Record<string, string>;
  const holds = ((all["{0}:holds"] ?? []) as string[]).filter((h) =>
    /^reserved 1 0 /.test(open[h.slice(h.indexOf(" ") + 1)] ?? ""),
  );
  all["{0}:holds"] = holds.sort();
  // An order that was released in another way leaves its place in the list, to be skipped later.
  const states = Object.entries(all).flatMap(([key, seen]) =>
    key.includes(":seen:") ? Object.entries(seen as Record<string, string>) : [],
  );
  const parked = new Set(
    states.filter(([, record]) => record.endsWith(" parked")).map(([name]) => name),
  );
  const waits = ((all["{0}:fx"] ?? []) as RateWaitText[]).filter(({ orders, user, id }) =>
    parked.has(orders?.order[0] ?? `${user} ${id}`),
  );
  if (waits.length > 0) all["{0}:fx"] = waits;
  else delete all["{0}:fx"];
  return all;
}

/** An order that waits for a rate: by itself, or by name where it is parked. */
interface RateWaitText {
  readonly orders?: { readonly order: readonly [string] };
  readonly user?: string;
  readonly id?: string;
}

/** A ledger with a snapshot after the first `at` entries; 0: none. */
function snapshotAt(entries: readonly Entry[], at: number) {
  const last = entries[at - 1];
  const firstId = firstIdOf(Date.now() - WINDOW_MS);
  const replayed = new Replayed({ firstId, onlyAhead: true, isLimited: () => true });
  for (const entry of entries.slice(0, at)) replayed.apply(entry);
  const head = { n: at, version: SNAPSHOT_VERSION, inChain: true };
  return {
    snapshots: async (shard: number) => (shard === 0 && last ? [head] : []),
    snapshotChunks: async () => [...encode(replayed, firstId)],
    firstEntrySince: async () => 1,
  };
}

test("a rebuilt Redis holds the same, from the journal alone or from a snapshot on", async () => {
  bench ??= await Bench.open();
  const b = bench;
  await fc.assert(
    fc.asyncProperty(
      fc.array(move, { minLength: 1, maxLength: 10 }),
      fc.nat(10),
      async (moves, end) => {
        await b.reset();
        await b.sale({ a: { units: UNITS, limit: 8 } });
        const entries: Entry[] = [];
        const swept = { limit: 10, dedupWindowMs: WINDOW_MS };
        for (const m of moves) {
          let entry: Entry | undefined;
          if (m.do === "decide") entry = await decideAll(b, m.rows);
          else if (m.do === "force")
            entry = (
              await b.decide(
                [[row(m.user, { a: 1 }, { id: at(IDS, m.idIndex), seq: m.seq })]],
                m.word,
              )
            ).entry;
          else if (m.do === "commit") {
            const last = entries.at(-1);
            if (last) await b.shards.recorded(b.claim, last.id, last.n);
          } else {
            const reply = await b.shards[m.do](b.claim, {
              ...swept,
              entryId: newEntryId(realRuntime.randomBytes),
              cutoffMs: Date.now() + 1_000,
            });
            if (reply.word === "decided") entry = reply.entry;
          }
          if (entry) entries.push(entry);
        }
        const last = entries.at(-1);
        if (last) await b.shards.recorded(b.claim, last.id, last.n);
        const before = await dump(b);
        const live = await b.live("a");
        const sale = {
          id: SALE_ID,
          name: "s",
          currency: "EUR",
          opensAtMs: 0,
          closesAtMs: 9e12,
          items: [
            { sku: "a", name: "a", category: "c", priceMinor: 1, limitPerUser: 8, initial: UNITS },
          ],
        };
        const stock = [
          {
            sku: "a",
            initial: UNITS,
            restocked: 0,
            available: live.available + live.releasing,
            releasing: 0,
            held: live.held,
            sold: live.sold,
          },
        ];
        const ledger = {
          storeId: STORE_ID,
          catalogueVersion: async () => 1,
          sales: async () => [sale],
          stock: async () => stock,
          replay: async function* (shard: number, { after = 0 } = {}) {
            if (shard === 0) yield entries.slice(after);
          },
          ...snapshotAt(entries, end),
        };
        const position = { lastId: last?.id ?? "genesis", lastN: last?.n ?? 0, epoch: 2 };
        const writer = {
          askAgain: async () => 0,
          beginRebuild: async () => ({
            incarnation: 2,
            shards: [
              { shard: 0, ...position },
              { shard: 1, epoch: 2, lastId: "genesis", lastN: 0 },
            ],
          }),
        };
        const announcement = new Announcement(realRuntime, b.rebuild);
        const result = await rebuild(
          {
            runtime: realRuntime,
            store: b.rebuild,
            ledger: ledger as never,
            writer: writer as never,
            announcement,
            dedupWindowMs: WINDOW_MS,
            now: Date.now,
            log: () => undefined,
          },
          1,
        );
        await announcement.retract();
        expect(result).toBe("rebuilt");
        expect(await dump(b)).toEqual(before);
        expect(await b.live("a")).toMatchObject({
          available: live.available + live.releasing,
          releasing: 0,
          held: live.held,
          sold: live.sold,
        });
      },
    ),
    { numRuns: RUNS },
  );
}, 300_000);
