import { afterAll, expect, test } from "bun:test";
import { freshDatabase } from "../../test/services.ts";
import { paint, verdictLines } from "./report.ts";
import { closeWorlds, emptyWorld, foundIn, trueStory } from "./test-story.ts";
import { body, row, skipRow } from "./world.ts";

afterAll(closeWorlds);

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

test("a ledger on Postgres reads the same", async () => {
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

test("many slices give the same verdict as one", async () => {
  const { world } = await trueStory();
  expect((await world.verify({ sliceBytes: 100 })).counts).toEqual((await world.verify()).counts);
});

test("without a history the ledger is still checked against itself", async () => {
  const { world } = await trueStory();
  expect((await world.verify({ history: false })).result).toBe("pass");
  await world.sql("UPDATE items SET held = held + 1 WHERE sku = 'cap'");
  expect((await world.verify({ history: false })).result).toBe("violations");
});

test("an invariant without anything to check does not count as checked", async () => {
  const { world } = await trueStory();
  const reached = async (options: Parameters<typeof world.verify>[0]) => {
    const { reach } = await world.verify(options);
    const of = (one: string) => Object.keys(reach).filter((id) => reach[id as "I1"] === one);
    return { ledger: of("ledger"), none: of("none") };
  };
  expect(await reached({ history: false })).toEqual({
    ledger: ["I1", "I3", "I4"],
    none: ["I2", "I10"],
  });
  expect(await reached({ partial: true })).toEqual({ ledger: [], none: ["I2"] });
  expect(await reached({})).toEqual({ ledger: [], none: [] });
  const text = verdictLines(await world.verify({ history: false }), paint(false)).join("\n");
  expect(text).toContain("  – I10  refused requests had no effect");
  expect(text).toContain("– not checked: I2, I10");
  expect(text).not.toContain("✓ I1 ");
  expect(text).not.toContain("every invariant holds");
  expect(await reached({ noProvider: true })).toEqual({ ledger: ["I6"], none: [] });
  world.outbox.length = 1;
  expect((await world.verify()).reach).toMatchObject({ I2: "none", I5: "ledger", I9: "none" });
});

test("orders in flight make it inconclusive, neither a pass nor a violation", async () => {
  const { world } = await trueStory();
  world.sent("ann", world.id(), body("mug", 1), { at: 400 });
  world.outbox.length = 1;
  expect(await world.verify()).toMatchObject({ result: "inconclusive", violations: [] });
  world.outbox.length = 0;
  world.queues[0] = { region: "eu", queue: "orders.0", ready: 2, dead: false };
  expect((await world.verify()).result).toBe("inconclusive");
});

test("a missing queue is a violation", async () => {
  const { world } = await trueStory();
  world.queues.push({ region: "us", queue: "orders.0", ready: undefined, dead: false });
  expect((await world.verify()).violations.map((v) => v.what)).toEqual(["a queue is missing"]);
});

test("an order left parked is inconclusive", async () => {
  const world = await emptyWorld();
  const id = world.id();
  world.sent("ben", id, body("mug", 1, 2), { at: 0 });
  await world.entry([row("ben", id, body("mug", 1, 2))], "parked");
  expect((await world.verify()).result).toBe("inconclusive");
});

test("more than 64 waiting orders of one user are reported", async () => {
  const world = await emptyWorld();
  const rows = Array.from({ length: 65 }, (_, i) => row("ben", world.id(), body("mug", 1, i + 2)));
  await world.entry(rows, rows.map(() => "parked").join(","));
  const verdict = await world.verify({ history: false });
  expect(verdict.violations.map((v) => v.invariant)).toEqual(["I11"]);
});

test("a gap abandoned at a number that was given up, with another gap behind it", async () => {
  const world = await emptyWorld();
  const [two, four, five] = [world.id(), world.id(), world.id()];
  world.sent("ben", five, body("mug", 1, 5), { at: 0 });
  world.sent("ben", two, body("mug", 1, 2), { at: 20 });
  world.sent("ben", four, body("mug", 1, 4), { at: 40 });
  // 1 and 2 are missing, 3 was given up, 5 waits. Nothing is released when the gap is over.
  await world.entry([skipRow("ben", 3), row("ben", five, body("mug", 1, 5))], "skipped,parked");
  await world.passed("ben", 4);
  const last = [row("ben", two, body("mug", 1, 2)), row("ben", four, body("mug", 1, 4))];
  const waiting = row("ben", five, body("mug", 1, 5));
  await world.entry(last, "superseded,sold_out", [[waiting, "sold_out"]]);
  const found = await foundIn(world);
  expect(found.filter((each) => each.startsWith("I4"))).toEqual([]);
});

test("an order decided before the number that an abandoned gap left due is found", async () => {
  const world = await emptyWorld();
  const five = world.id();
  world.sent("ben", five, body("mug", 1, 5), { at: 0 });
  await world.entry([skipRow("ben", 3), row("ben", five, body("mug", 1, 5))], "skipped,parked");
  await world.passed("ben", 4);
  await world.entry([], "", [[row("ben", five, body("mug", 1, 5)), "sold_out"]]);
  expect(await foundIn(world)).toContain("I4 a number was decided before its turn");
});

test("an abandoned gap is no violation, and a number that comes later is superseded", async () => {
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

test("a gap given up up to a skipped number is no violation while others wait", async () => {
  const world = await emptyWorld();
  const [four, three] = [world.id(), world.id()];
  const waiting = row("ben", four, body("mug", 1, 4));
  await world.entry([waiting, skipRow("ben", 2)], "parked,skipped");
  await world.entry([], "", [], "unpark");
  const passed = [{ what: "passed", user: "ben", saleId: "spring", next: 3 }];
  await world.sql(`UPDATE entries SET steps = '${JSON.stringify(passed)}' WHERE n = 2`);
  await world.entry([row("ben", three, body("mug", 1, 3))], "reserved", [[waiting, "reserved"]]);
  await world.pay();
  expect(await world.verify({ history: false })).toMatchObject({ result: "pass", violations: [] });
});

test("an order given up as unknown may have fewer attempts, whatever becomes of them", async () => {
  const world = await emptyWorld();
  const id = world.id();
  await world.entry([row("ann", id, body("mug", 1))], "reserved");
  await world.sql("UPDATE charges SET attempt = 1, status = 'started'");
  await world.happened("given_up", ["ann", id], ["mug", 1]);
  await world.happened("payment_failed", ["ann", id], ["mug", 1]);
  const about = /state that cannot follow|without its/;
  const found = async () => (await foundIn(world)).filter((what) => about.test(what));
  expect(await found()).toEqual([]);
  await world.sql("UPDATE charges SET status = 'failed'");
  expect(await found()).toEqual([]);
});
