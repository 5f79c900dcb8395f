// Whatever happens to orders, in any order: units add up, no user has two charges at a time, and
// the journal replays to Redis's state.
import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { openText } from "../consumers/rebuild/load-shard.ts";
import { Replayed } from "../consumers/rebuild/replayed.ts";
import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import { newEntryId } from "../core/domain/entry-id.ts";
import type { Row } from "../core/domain/row.ts";
import { answer, Bench, cancel, part, redrive, row } from "../core/lua/testing.ts";
import { realRuntime } from "../core/runtime/runtime.ts";

let bench: Bench | undefined;
afterAll(async () => bench?.close());

const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);
const UNITS = 8;
const IDS = Array.from({ length: 6 }, () => Bun.randomUUIDv7());

const user = fc.constantFrom("u1", "u2");
const idIndex = fc.integer({ min: 0, max: IDS.length - 1 });
const happening = fc.oneof(
  fc.record({
    kind: fc.constant("order" as const),
    user,
    idIndex,
    seq: fc.integer({ min: 0, max: 3 }),
    qty: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constant("cancel" as const), user, idIndex }),
  fc.record({
    kind: fc.constant("redrive" as const),
    user,
    idIndex,
    generation: fc.integer({ min: 2, max: 3 }),
  }),
  fc.record({
    kind: fc.constant("part" as const),
    user,
    idIndex,
    at: fc.integer({ min: 1, max: 2 }),
    word: fc.constantFrom("claim" as const, "done" as const),
    service: fc.constantFrom("east", "east", "west"),
  }),
  fc.record({
    kind: fc.constant("answer" as const),
    user,
    idIndex,
    attempt: fc.integer({ min: 1, max: 4 }),
    generation: fc.constantFrom(1, 1, 1, 2),
    word: fc.constantFrom(
      "captured" as const,
      "failed" as const,
      "failed" as const,
      "unknown" as const,
    ),
  }),
);
/**
 * The rows of a batch. A redrive comes before what else happens in it: the ledger grants one only
 * for an order whose failure it has recorded, so its row never shares an entry with that failure.
 */
const rowsOfBatch = fc
  .array(happening, { minLength: 1, maxLength: 6 })
  .map((rows) => [
    ...rows.filter(({ kind }) => kind === "redrive"),
    ...rows.filter(({ kind }) => kind !== "redrive"),
  ]);
/** Batches of rows, each optionally followed by a commit of the ledger and a sweep of old holds. */
const history = fc.array(
  fc.record({
    rows: rowsOfBatch,
    commit: fc.boolean(),
    expire: fc.boolean(),
  }),
  {
    minLength: 1,
    maxLength: 8,
  },
);

test("any life of orders keeps units whole and charges one at a time, and replays", async () => {
  bench ??= await Bench.open();
  const b = bench;
  await fc.assert(
    fc.asyncProperty(history, async (batches) => {
      await b.reset();
      await b.sale({ a: { units: UNITS, limit: 6 } });
      const entries: Entry[] = [];
      for (const { rows, commit, expire } of batches) {
        const { entry } = await b.decide([rows.map(rowOf)]);
        if (entry) entries.push(entry);
        if (expire) {
          const sweep = {
            entryId: newEntryId(realRuntime.randomBytes),
            cutoffMs: Date.now() + 1_000,
            limit: 10,
            dedupWindowMs: 3_600_000,
          };
          const reply = await b.shards.expire(b.claim, sweep);
          if (reply.word === "decided" && reply.entry) entries.push(reply.entry);
        }
        const last = entries.at(-1);
        await expectWhole(b, replayOf(entries));
        if (commit && last) await b.shards.recorded(b.claim, last.id, last.n);
      }
      await expectReplayed(b, replayOf(entries));
    }),
    { numRuns: RUNS },
  );
}, 120_000);

function rowOf(r: typeof happening extends fc.Arbitrary<infer T> ? T : never): Row {
  const id = at(IDS, r.idIndex);
  if (r.kind === "order") return row(r.user, { a: r.qty }, { id, seq: r.seq });
  if (r.kind === "redrive") return redrive(row(r.user, { a: 1 }, { id }), r.generation);
  if (r.kind === "part") return part(r.user, id, r.word, r.service, r.at, 2);
  return r.kind === "cancel"
    ? cancel(r.user, id)
    : answer(r.user, id, r.attempt, r.word, "", r.generation);
}

function replayOf(entries: readonly Entry[]): Replayed {
  const replayed = new Replayed({ firstId: "0", isLimited: () => true });
  for (const entry of entries) replayed.apply(entry);
  return replayed;
}

/** The item's units are where the orders say. */
async function expectWhole(b: Bench, { open, lanes }: Replayed): Promise<void> {
  const live = await b.live("a");
  expect(live.available + live.releasing + live.held + live.sold).toBe(UNITS);
  expect(Math.min(live.available, live.releasing, live.held, live.sold)).toBeGreaterThanOrEqual(0);
  const units = (state: string) =>
    [...open.values()]
      .filter((o) => o.state === state)
      .reduce((sum, o) => sum + (o.placed.order.lines[0]?.qty ?? 0), 0);
  expect([live.held, live.sold]).toEqual([units("reserved"), units("paid")]);
  for (const who of ["u1", "u2"]) {
    const charged = [...open].filter(
      ([name, o]) => name.startsWith(`${who} `) && o.attempt > 0 && o.state !== "paid",
    );
    expect(charged.length).toBeLessThanOrEqual(1);
  }
  // The head of every lane is being charged, so that no order waits in vain.
  for (const [who, [first]] of lanes)
    expect(open.get(`${who} ${first}`)?.attempt).toBeGreaterThan(0);
}

async function expectReplayed(b: Bench, replayed: Replayed): Promise<void> {
  const { client } = b.redis;
  // The exact text that a rebuild would write.
  const open = Object.entries(await client.hgetall("{0}:open"));
  const mine = [...replayed.open].map(([name, o]) => [name, openText(o)]);
  expect(Object.fromEntries(mine)).toEqual(Object.fromEntries(open));
  const lanes: Record<string, string> = {};
  for (const key of await client.keys("{0}:lane:*"))
    lanes[key.slice("{0}:lane:".length)] = (await client.lrange(key, 0, -1)).join(" ");
  expect(Object.fromEntries([...replayed.lanes].map(([who, ids]) => [who, ids.join(" ")]))).toEqual(
    lanes,
  );
  const holds = (await client.lrange("{0}:holds", 0, -1)).map((hold) =>
    hold.slice(hold.indexOf(" ") + 1),
  );
  for (const [name, o] of replayed.open)
    if (o.state === "reserved" && o.attempt === 0) expect(holds).toContain(name);
  const seen: Record<string, string> = {};
  for (const key of await client.keys("{0}:seen:*")) Object.assign(seen, await client.hgetall(key));
  expect(Object.fromEntries(replayed.seen)).toEqual(seen);
  const redriven = Object.entries(await client.hgetall("{0}:redriven:s1")).map(
    ([name, generation]) => [name, Number(generation)],
  );
  expect(Object.fromEntries(replayed.redriven.get("s1") ?? [])).toEqual(
    Object.fromEntries(redriven),
  );
  for (const who of ["u1", "u2"])
    expect([...(replayed.marks.get(who)?.keys() ?? [])].sort()).toEqual(
      (await client.zrange(`{0}:marks:${who}`, 0, "-1")).sort(),
    );
  const bought = await client.hgetall("{0}:bought:s1");
  expect(
    Object.fromEntries(
      [...(replayed.bought.get("s1") ?? [])].map(([field, n]) => [field, String(n)]),
    ),
  ).toEqual(bought);
}
