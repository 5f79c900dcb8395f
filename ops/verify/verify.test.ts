import { afterAll, describe, expect, test } from "bun:test";
import { freshDatabase, testDir } from "../../test/services.ts";
import type { Invariant } from "./findings.ts";
import { body, row, skipRow, World } from "./world.ts";

const dir = testDir("verify");
const worlds: World[] = [];
afterAll(async () => {
  for (const world of worlds) await world.close();
});

async function emptyWorld(url?: string): Promise<World> {
  const world = await World.make(dir, url);
  worlds.push(world);
  return world;
}

interface Story {
  readonly world: World;
  readonly ann: string;
  readonly second: string;
  readonly one: string;
  readonly two: string;
  readonly four: string;
}

/** Ann sends twice and once altered; Ben sends 2 before 1, gives 3 up and sends 4; Cid is refused. */
async function trueStory(url?: string): Promise<Story> {
  const world = await emptyWorld(url);
  const [ann, second, one, two, four, cid] = Array.from({ length: 6 }, () => world.id()) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  world.sent("ann", ann, body("mug", 2), { at: 0 });
  world.sent("ann", ann, body("mug", 2), { at: 100, region: "us" });
  world.sent("ann", ann, body("mug", 1), { at: 200 });
  world.sent("ann", second, body("mug", 2), { at: 300 });
  world.sent("ben", two, body("cap", 1, 2), { at: 0 });
  world.sent("ben", one, body("mug", 1, 1), { at: 20 });
  world.sent("ben", four, body("cap", 1, 4), { at: 60 });
  world.sent("cid", cid, body("mug", 1), { at: 70, result: "fail", status: 429 });
  await world.entry(
    [row("ann", ann, body("mug", 2)), row("ben", two, body("cap", 1, 2))],
    "reserved,parked",
  );
  await world.entry(
    [row("ann", ann, body("mug", 2)), row("ann", ann, body("mug", 1))],
    "=reserved,!reserved",
  );
  const ones = [row("ben", one, body("mug", 1, 1)), row("ann", second, body("mug", 2))];
  await world.entry(ones, "reserved,reserved", [[row("ben", two, body("cap", 1, 2)), "reserved"]]);
  await world.entry([skipRow("ben", 3), row("ben", four, body("cap", 1, 4))], "skipped,over_limit");
  await world.pay();
  await world.dispatch();
  world.told("ben", two, "parked");
  world.told("ben", two, "reserved");
  return { world, ann, second, one, two, four };
}

test("a true story passes, with its counts", async () => {
  const { world } = await trueStory();
  const verdict = await world.verify();
  expect(verdict.violations).toEqual([]);
  expect(verdict.result).toBe("pass");
  expect(verdict.counts).toMatchObject({
    orders: 6,
    accepted: 5,
    decided: 5,
    ledgered: 5,
    duplicates: 2,
    sold: 6,
    stock: 8,
    violations: 0,
  });
  expect(verdict.counts.states).toEqual({ dispatched: 4, over_limit: 1 });
});

test("a ledger on Postgres is read alike", async () => {
  const { world } = await trueStory(await freshDatabase());
  expect(await world.verify()).toMatchObject({
    result: "pass",
    counts: { ledgered: 5, sold: 6, violations: 0 },
  });
  await world.sql(
    "DELETE FROM orders WHERE usr = 'ann'",
    "DELETE FROM events WHERE event = 'conflict'",
  );
  const whats = (await world.verify()).violations.map((v) => v.what);
  expect(whats).toEqual([
    "an order of the journal has no record",
    "an altered resend left no conflict on record",
    expect.any(String),
  ]);
}, 30_000);

test("many slices say what one says", async () => {
  const { world } = await trueStory();
  expect((await world.verify({ sliceBytes: 100 })).counts).toEqual((await world.verify()).counts);
});

test("without a history the ledger is still held against itself", async () => {
  const { world } = await trueStory();
  expect((await world.verify({ history: false })).result).toBe("pass");
  await world.sql("UPDATE items SET held = held + 1 WHERE sku = 'cap'");
  expect((await world.verify({ history: false })).result).toBe("violations");
});

test("what is on its way makes it inconclusive, not a pass and not a violation", async () => {
  const { world } = await trueStory();
  world.sent("ann", world.id(), body("mug", 1), { at: 400 });
  world.outbox.length = 1;
  expect(await world.verify()).toMatchObject({ result: "inconclusive", violations: [] });
  world.outbox.length = 0;
  world.queues[0] = { region: "eu", queue: "orders.0", ready: 2, dead: false };
  expect((await world.verify()).result).toBe("inconclusive");
});

test("a letter that lies there twice, because its confirm was lost, is one letter", async () => {
  const { world } = await trueStory();
  const id = world.id();
  world.sent("eve", id, body("mug", 1), { at: 500 });
  await world.entry([row("eve", id, body("mug", 1))], "rejected");
  await world.sql("UPDATE follow_ups SET done = 1");
  const dead = { queue: "orders.dead", ready: 1, dead: true, letters: ["0badcafe"] };
  world.queues.push({ region: "eu", ...dead }, { region: "us", ...dead });
  expect(await world.verify()).toMatchObject({ result: "pass", violations: [] });
  world.queues.push({ region: "us", ...dead, letters: ["0badcaff"] });
  expect((await world.verify()).violations.map((v) => v.what)).toEqual([
    "the dead letters are not the known failures",
  ]);
});

test("an order left parked is inconclusive", async () => {
  const world = await emptyWorld();
  const id = world.id();
  world.sent("ben", id, body("mug", 1, 2), { at: 0 });
  await world.entry([row("ben", id, body("mug", 1, 2))], "parked");
  expect((await world.verify()).result).toBe("inconclusive");
});

/** One thing is wrong in the true story, and this is what the checker calls it. */
const LIES: readonly (readonly [
  what: string,
  invariant: Invariant,
  lie: (story: Story) => unknown,
])[] = [
  [
    "an accepted order is not in the ledger",
    "I1",
    ({ world }) => world.sent("ann", world.id(), body("mug", 1), { at: 500 }),
  ],
  [
    "a client was told another outcome than the ledger's",
    "I1",
    ({ world, ann }) => world.told("ann", ann, "sold_out"),
  ],
  [
    "an order's record differs from its journal",
    "I1",
    ({ world }) => world.sql("UPDATE orders SET state = 'sold_out' WHERE usr = 'ann'"),
  ],
  [
    "an order of the journal has no record",
    "I1",
    ({ world }) => world.sql("DELETE FROM orders WHERE usr = 'ann'"),
  ],
  [
    "an entry does not follow the one before it",
    "I1",
    ({ world }) => world.sql("UPDATE entries SET prev = 'e9' WHERE n = 3"),
  ],
  [
    "the ledger's position is not its last entry",
    "I1",
    ({ world }) => world.sql("UPDATE shards SET last_n = 3, last_id = 'e3'"),
  ],
  [
    "the ledger holds an order that nobody sent",
    "I2",
    ({ world }) => drop(world, (line) => line.user === "ben"),
  ],
  [
    "an order was decided twice",
    "I3",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'reserved,!reserved' WHERE n = 2"),
  ],
  [
    "an altered resend was taken for the original",
    "I3",
    ({ world }) => world.sql("UPDATE messages SET outcomes = '=reserved,=reserved' WHERE n = 2"),
  ],
  [
    "an altered resend left no conflict on record",
    "I3",
    ({ world }) => world.sql("DELETE FROM events WHERE event = 'conflict'"),
  ],
  [
    "a conflict is on record that no sending explains",
    "I3",
    ({ world }) => drop(world, (line) => line.op === "order" && line.send === 3),
  ],
  [
    "an altered resend took the place of the original",
    "I3",
    ({ world }) =>
      world.sql(
        `UPDATE messages SET body = replace(body, '["mug",2],"","",0],["o","ben"', '["mug",1],"","",0],["o","ben"') WHERE n = 1`,
      ),
  ],
  [
    "the ledger's order is none of those sent under its id",
    "I3",
    ({ world }) =>
      world.sql(`UPDATE messages SET body = replace(body, '"cap"', '"mug"') WHERE n = 4`),
  ],
  ["numbers were decided out of order", "I4", ({ world, four }) => swapNumbers(world, four)],
  [
    "a number was decided before its turn",
    "I4",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skip_late,over_limit' WHERE n = 4"),
  ],
  [
    "an order was decided before one acknowledged earlier",
    "I4",
    ({ world, ann }) => late(world, ann),
  ],
  [
    "an order was superseded though its number had not passed",
    "I4",
    ({ world }) =>
      world.sql(
        "UPDATE messages SET outcomes = 'skip_late,superseded' WHERE n = 4",
        "UPDATE orders SET state = 'superseded' WHERE state = 'over_limit'",
      ),
  ],
  ["oversold", "I5", ({ world }) => world.sql("UPDATE items SET initial = 4 WHERE sku = 'mug'")],
  [
    "units held differ from what the orders hold",
    "I5",
    ({ world }) => world.sql("UPDATE items SET held = 4, available = 1 WHERE sku = 'mug'"),
  ],
  [
    "stock does not add up",
    "I5",
    ({ world }) => world.sql("UPDATE items SET available = 7 WHERE sku = 'cap'"),
  ],
  [
    "stock movements of one cause do not sum to zero",
    "I5",
    ({ world }) =>
      world.sql("UPDATE movements SET units = 9 WHERE account = 'held' AND sku = 'cap'"),
  ],
  [
    "an entry moved other units than its orders took",
    "I5",
    ({ world }) => world.sql("DELETE FROM movements WHERE cause = 'entry 0-3' AND sku = 'cap'"),
  ],
  [
    "a user has more than the limit",
    "I5",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skipped,reserved' WHERE n = 4"),
  ],
  [
    "an order was turned away as sold out though there was stock",
    "I5",
    ({ world }) => world.sql("UPDATE messages SET outcomes = 'skipped,sold_out' WHERE n = 4"),
  ],
  [
    "an order was turned away as over the limit though it was not",
    "I5",
    ({ world }) => world.sql("UPDATE items SET limit_per_user = 2"),
  ],
  [
    "an order was taken outside the sale's window",
    "I5",
    ({ world }) => world.sql("UPDATE sales SET opens_ms = opens_ms + 1"),
  ],
  ["Redis's stock differs from the ledger's", "I5", ({ world }) => world.hold("cap", 1)],
  [
    "an order is paid without a capture",
    "I6",
    ({ world }) => world.sql("UPDATE charges SET status = 'failed' WHERE usr = 'ann'"),
  ],
  [
    "the ledger has a capture that the provider does not",
    "I6",
    ({ world }) => world.captures.pop(),
  ],
  [
    "the provider and the ledger differ about a charge",
    "I6",
    ({ world }) => alter(world, { refunded: true }),
  ],
  [
    "the provider charged another amount than the ledger has",
    "I6",
    ({ world }) => alter(world, { amount: 1 }),
  ],
  ["a customer pays twice for one order", "I6", ({ world, ann }) => again(world, `ann/${ann}/1/2`)],
  [
    "an order was charged that had not been reserved",
    "I6",
    ({ world }) => world.sql("UPDATE charges SET usr = 'eve' WHERE usr = 'ann'"),
  ],
  [
    "money is kept for an order that is cancelled",
    "I7",
    ({ world }) =>
      world.sql(`UPDATE entries SET steps = replace(steps, '["paid","ann"', '["cancelled","ann"')`),
  ],
  [
    "an order went from one state to another it cannot go to",
    "I1",
    ({ world }) =>
      world.sql(
        `UPDATE entries SET steps = replace(steps, '["paid","ann"', '["dispatched","ann"')`,
      ),
  ],
  [
    "an order that was never paid has parts",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET usr = 'eve' WHERE usr = 'ann'"),
  ],
  [
    "a paid order has no parts",
    "I7",
    ({ world }) => world.sql("DELETE FROM parts WHERE usr = 'ann'"),
  ],
  [
    "an order's parts are not as many as they say",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET parts = 2 WHERE usr = 'ann'"),
  ],
  [
    "an order's parts are not its lines",
    "I7",
    ({ world }) => world.sql(`UPDATE parts SET lines = replace(lines, '"mug"', '"cap"')`),
  ],
  [
    "an order is dispatched when all its parts are done, and only then",
    "I7",
    ({ world }) => world.sql("UPDATE parts SET status = 'claimed' WHERE usr = 'ann'"),
  ],
  [
    "a service worked on what is no part of an order",
    "I7",
    ({ world }) => pack(world, { key: "eve/x/1/1" }),
  ],
  ["a part was worked on twice", "I7", ({ world }) => pack(world, { service: "other" })],
  [
    "a part is done in the ledger that its service did not work on",
    "I7",
    ({ world }) => world.packed.pop(),
  ],
  [
    "a service worked on other lines than the order's",
    "I7",
    ({ world }) => repack(world, { lines: "[]" }),
  ],
  [
    "a part was worked on by another service than the one that claimed it",
    "I7",
    ({ world }) => repack(world, { service: "other" }),
  ],
  [
    "a service worked on an order that is not its to work on",
    "I7",
    ({ world }) =>
      world.sql(`UPDATE entries SET steps = replace(steps, '["claimed","ann"', '["start","ann"')`),
  ],
  [
    "an order was cancelled though a service had claimed it",
    "I7",
    ({ world }) =>
      world.sql(
        `UPDATE entries SET steps = replace(steps, '["dispatched","ann"', '["cancelled","ann"')`,
      ),
  ],
  [
    "an order was charged another amount than its items cost",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET amount = amount + 1"),
  ],
  [
    "an order was charged in another currency than its own",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET currency = 'USD'"),
  ],
  [
    "an order in its sale's own currency was charged at a rate",
    "I8",
    ({ world }) => world.sql("UPDATE charges SET rate_id = 'r', rate = '1'"),
  ],
  [
    "a charge does not record the rate its order was decided at",
    "I8",
    ({ world }) =>
      world.sql(
        "UPDATE sales SET currency = 'USD'",
        "UPDATE charges SET rate_id = 'r', rate = '1'",
      ),
  ],
  [
    "an order was charged more than its buyer allows",
    "I8",
    ({ world }) =>
      world.sql('UPDATE messages SET body = replace(body, \'"","",0]\', \'"","",1]\')'),
  ],
  [
    "postings of one cause do not sum to zero",
    "I8",
    ({ world }) => world.sql("UPDATE postings SET amount = 1 WHERE account = 'revenue'"),
  ],
  [
    "the dead letters are not the known failures",
    "I9",
    ({ world }) => world.queues.push({ region: "us", queue: "orders.dead", ready: 1, dead: true }),
  ],
  [
    "a queue is missing",
    "I9",
    ({ world }) =>
      world.queues.push({ region: "us", queue: "orders.0", ready: undefined, dead: false }),
  ],
  [
    "an order that was only ever refused is in the ledger",
    "I10",
    ({ world, four }) => refuse(world, four),
  ],
];

describe("one lie is found:", () => {
  test.each(LIES)("%s", async (what, invariant, lie) => {
    const story = await trueStory();
    await lie(story);
    const verdict = await story.world.verify();
    expect(verdict.result).toBe("violations");
    expect(verdict.violations.map((v) => `${v.invariant} ${v.what}`)).toContain(
      `${invariant} ${what}`,
    );
  });
});

test("more than 64 waiting orders of one user are told", async () => {
  const world = await emptyWorld();
  const rows = Array.from({ length: 65 }, (_, i) => row("ben", world.id(), body("mug", 1, i + 2)));
  await world.entry(rows, rows.map(() => "parked").join(","));
  const verdict = await world.verify({ history: false });
  expect(verdict.violations.map((v) => v.invariant)).toEqual(["I11"]);
});

test("a gap given up is no violation, and a number that comes after it is superseded", async () => {
  const world = await emptyWorld();
  const [two, one, three] = [world.id(), world.id(), world.id()];
  await world.entry([row("ben", two, body("mug", 1, 2))], "parked");
  await world.entry([], "", [[row("ben", two, body("mug", 1, 2)), "reserved"]], "unpark");
  await world.entry(
    [row("ben", one, body("mug", 1, 1)), row("ben", three, body("mug", 1, 3))],
    "superseded,reserved",
  );
  await world.pay();
  expect(await world.verify({ history: false })).toMatchObject({ result: "pass", violations: [] });
});

/** The provider's first record says something else. */
function alter(world: World, change: Partial<World["captures"][number]>): void {
  world.captures[0] = { ...(world.captures[0] as World["captures"][number]), ...change };
}

function again(world: World, key: string): void {
  world.captures.push({ ...(world.captures[0] as World["captures"][number]), key });
}

function pack(world: World, change: Partial<World["packed"][number]>): void {
  world.packed.push({ ...(world.packed[0] as World["packed"][number]), ...change });
}

function repack(world: World, change: Partial<World["packed"][number]>): void {
  world.packed[0] = { ...(world.packed[0] as World["packed"][number]), ...change };
}

function drop(
  world: World,
  which: (line: World["lines"][number] & { send?: number }) => boolean,
): void {
  world.lines.splice(0, world.lines.length, ...world.lines.filter((line) => !which(line as never)));
}

/** Ben's fourth order is decided in the entry of his first, behind it in the list but ahead in number. */
async function swapNumbers(world: World, four: string): Promise<void> {
  const swapped = `[${row("ben", four, body("cap", 1, 4))},${row("ben", world.id(), body("mug", 1, 3))}]`;
  await world.sql(
    `UPDATE messages SET body = '${swapped}', outcomes = 'over_limit,over_limit' WHERE n = 4`,
  );
}

/** Ann's second order came back from the region before her first was sent. */
async function late(world: World, first: string): Promise<void> {
  for (const line of world.lines)
    if (line.op === "order" && line.id === first)
      Object.assign(line, { region: "eu", t0: 1_000, t1: 1_010 });
}

function refuse(world: World, id: string): void {
  for (const line of world.lines)
    if (line.op === "order" && line.id === id) Object.assign(line, { result: "fail", status: 503 });
}
