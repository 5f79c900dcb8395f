import { afterAll, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import type { Step } from "../domain/entry.ts";
import { MAX_LANE } from "../domain/lane.ts";
import type { Row } from "../domain/row.ts";
import { answer, Bench, cancel, redrive, row } from "./testing.ts";

const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);
const SLOW_MS = 120_000;
let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
});
afterAll(async () => bench?.close());

const laneOf = (user: string) => bench.redis.client.lrange(`{0}:lane:${user}`, 0, -1);

/**
 * Appends ids to a lane, as orders of an earlier version may stand there: more than the bound lets
 * in now.
 */
async function fill(user: string, count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => Bun.randomUUIDv7());
  for (let from = 0; from < count; from += 1_000)
    await bench.redis.client.rpush(`{0}:lane:${user}`, ...ids.slice(from, from + 1_000));
}

test(
  "leaving a lane of 10,000 costs Redis no more than leaving one of 10",
  async () => {
    await bench.sale({ a: { units: 1_000 } });
    const leaving = async (user: string, behind: number): Promise<number> => {
      const ids = Array.from({ length: 40 }, () => Bun.randomUUIDv7());
      await bench.words(...ids.map((id) => row(user, { a: 1 }, { id })));
      await fill(user, behind);
      const took: number[] = [];
      for (const id of ids) {
        const startedUs = await decideUs();
        expect(await bench.words(answer(user, id, 1, "captured"))).toEqual(["+paid"]);
        took.push((await decideUs()) - startedUs);
      }
      return took.toSorted((a, b) => a - b)[took.length / 2] as number;
    };
    await leaving("warm", 10);
    const short = await leaving("short", 10);
    const long = await leaving("long", 10_000);
    // As a whole it was read in 13 ms; a call costs a few hundred µs at most.
    expect(long).toBeLessThan(3 * short + 500);
  },
  SLOW_MS,
);

/** What `decide` has cost Redis so far, µs, by its own count. */
async function decideUs(): Promise<number> {
  const stats = await bench.redis.client.info("commandstats");
  return Number(/cmdstat_fcall:calls=\d+,usec=(\d+)/.exec(stats)?.[1]);
}

test(
  "a lane takes 1,000 orders; one more is over_limit and touches no stock",
  async () => {
    await bench.sale({ a: { units: 2 * MAX_LANE } });
    const ids = Array.from({ length: MAX_LANE }, () => Bun.randomUUIDv7());
    for (let from = 0; from < MAX_LANE; from += 250)
      await bench.words(...ids.slice(from, from + 250).map((id) => row("ann", { a: 1 }, { id })));
    expect(await laneOf("ann")).toEqual(ids);
    const before = await bench.live("a");
    expect(await bench.words(row("ann", { a: 1 }), row("bob", { a: 1 }))).toEqual([
      "over_limit",
      "reserved",
    ]);
    expect((await bench.live("a")).available).toBe(before.available - 1);
    expect(await laneOf("ann")).toEqual(ids);
    // Within one batch: what leaves makes room for what follows.
    const [first, last] = [ids[0] as string, ids.at(-1) as string];
    const words = await bench.words(
      row("ann", { a: 1 }),
      answer("ann", first, 1, "captured"),
      row("ann", { a: 1 }),
      row("ann", { a: 1 }),
      cancel("ann", last),
      row("ann", { a: 1 }),
    );
    expect(words.map((word) => word.replace("+", ""))).toEqual([
      "over_limit",
      "paid",
      "reserved",
      "over_limit",
      "cancelled",
      "reserved",
    ]);
    expect(await laneOf("ann")).toHaveLength(MAX_LANE);
  },
  SLOW_MS,
);

test("a numbered order whose lane is full is over_limit and uses up its number", async () => {
  await bench.sale({ a: { units: 10 } });
  await fill("ann", MAX_LANE);
  const parked = row("ann", { a: 1 }, { seq: 2 });
  expect(await bench.words(parked)).toEqual(["parked"]);
  const { outcomes, entry } = await bench.decide([[row("ann", { a: 1 }, { seq: 1 })]]);
  expect(outcomes).toEqual(["over_limit"]);
  expect(entry?.released.map(({ state }) => state)).toEqual(["over_limit"]);
});

const USERS = ["u1", "u2"];
const IDS = Array.from({ length: 12 }, () => Bun.randomUUIDv7());
const happening = fc.record({
  kind: fc.constantFrom(
    ...(["order", "order", "captured", "captured", "lost", "cancel", "redrive"] as const),
  ),
  user: fc.constantFrom(...USERS),
  /** Of the orders that it may be about, as a share of them. */
  pick: fc.double({ min: 0, max: 0.999, noNaN: true }),
});
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/**
 * One user's lane by the rules in plain words: the first is charged, the others wait; who leaves
 * first lets the next one start.
 */
class Lane {
  readonly ids: string[] = [];
  readonly charged = new Set<string>();
  readonly generations = new Map<string, number>();
  readonly failed = new Set<string>();
  readonly cancelled = new Set<string>();
  constructor(
    private readonly user: string,
    private readonly steps: string[],
  ) {}

  enter(id: string): void {
    this.ids.push(id);
    if (this.ids.length === 1) this.charged.add(id);
    else this.steps.push(`wait ${this.user} ${id}`);
  }

  leave(id: string): void {
    const wasFirst = this.ids[0] === id;
    this.ids.splice(this.ids.indexOf(id), 1);
    this.charged.delete(id);
    const [first] = this.ids;
    if (!wasFirst || first === undefined || this.charged.has(first)) return;
    this.charged.add(first);
    this.steps.push(`start ${this.user} ${first}`);
  }

  /**
   * The row that this comes to, after it has happened here; undefined: there is nothing it could be
   * about.
   */
  apply({ kind, pick }: Happening, fresh: () => string | undefined): Row | undefined {
    const one = (list: Iterable<string>) => [...list][Math.floor(pick * [...list].length)];
    const { user } = this;
    const generation = (id: string) => this.generations.get(id) ?? 1;
    const id =
      kind === "order"
        ? fresh()
        : kind === "redrive"
          ? one(this.failed)
          : kind === "cancel"
            ? one(this.ids.filter((i) => !this.cancelled.has(i)))
            : one(this.charged);
    if (id === undefined) return undefined;
    switch (kind) {
      case "order":
        this.enter(id);
        return row(user, { a: 1 }, { id });
      case "redrive": {
        this.failed.delete(id);
        this.generations.set(id, generation(id) + 1);
        this.enter(id);
        return redrive(row(user, { a: 1 }, { id }), generation(id));
      }
      case "cancel":
        this.cancelled.add(id);
        // One that is being charged keeps its place until the answer is in.
        if (!this.charged.has(id)) this.leave(id);
        return cancel(user, id);
      default: {
        const word = kind === "captured" ? "captured" : "unknown";
        if (word === "unknown" && !this.cancelled.has(id)) this.failed.add(id);
        this.leave(id);
        return answer(user, id, 1, word, "", generation(id));
      }
    }
  }
}

test(
  "whatever enters and leaves in one batch, lanes, waits and starts are those of a plain list",
  async () => {
    const batches = fc.array(fc.array(happening, { minLength: 1, maxLength: 25 }), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(batches, async (history) => {
        await bench.reset();
        await bench.sale({ a: { units: 1_000 } });
        const steps: string[] = [];
        const lanes = new Map(USERS.map((user) => [user, new Lane(user, steps)]));
        let used = 0;
        for (const batch of history) {
          steps.length = 0;
          const rows = batch
            .map((h) => lanes.get(h.user)?.apply(h, () => IDS[used++]))
            .filter((of) => of !== undefined);
          if (rows.length === 0) continue;
          const { entry } = await bench.decide([rows]);
          for (const [user, lane] of lanes) expect(await laneOf(user)).toEqual(lane.ids);
          expect((entry?.steps ?? []).filter(isOfLanes).map(said)).toEqual(steps);
        }
      }),
      { numRuns: RUNS },
    );
  },
  SLOW_MS,
);

const isOfLanes = ({ what }: Step) => what === "wait" || what === "start";
const said = (step: Step) => `${step.what} ${step.user} ${"id" in step ? step.id : ""}`;
