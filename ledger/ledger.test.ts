import { afterAll, describe, expect, test } from "bun:test";
import type { Entry } from "../core/domain/entry.ts";
import { messageOf } from "../core/domain/message-of.ts";
import type { OrderRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { Ledger, LedgerWriter } from "./contract.ts";
import { Db, LedgerUnavailable } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, releasedOf, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const SALE = saleOf(10);

let serial = 0;
const nextId = () => Bun.randomUUIDv7("hex", 1_790_000_000_000 + serial++);

const rowOf = (user: string, qty: number, id = nextId()): OrderRow => orderRow(user, id, qty);

/** Entry n after `prev`, with one message of the given rows and outcomes. */
function entry(
  shard: number,
  n: number,
  prev: string,
  rows: readonly Row[],
  outcomes: string,
  more: Partial<Entry> = {},
): Entry {
  return entryOf(shard, n, rows, outcomes, { prev, ...more });
}

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("ledger")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;

describe.each(databases)("%s", (_, freshUrl) => {
  async function fresh(): Promise<{ url: string; ledger: Ledger; writer: LedgerWriter }> {
    const url = await freshUrl();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const writer = await openLedgerWriter(realRuntime, url);
    open.push(ledger, writer);
    expect(await ledger.operate({ kind: "create", ref: "r1", sale: SALE }, "op")).toBe("done");
    return { url, ledger, writer };
  }

  test("an order is found in a message with numbers as another JSON writer puts them", async () => {
    const { ledger, writer } = await fresh();
    const user = userOf(0);
    const { epoch } = await writer.takeShard(0, "w1");
    const [one, two] = [nextId(), nextId()];
    const rows = [rowOf(user, 3, one), rowOf(user, 2, two)];
    const e = entry(0, 1, "genesis", rows, "reserved,reserved");
    const [message] = e.messages as [Entry["messages"][number]];
    const body = message.body.replace('"lines":[1,1]', '"lines":[1.0,1e0]');
    expect(body).not.toBe(message.body);
    const written = { ...e, messages: [{ ...message, body }] };
    expect(await writer.record([{ entry: written, epoch }])).toEqual(["recorded"]);
    expect(await ledger.order(user, two)).toMatchObject({ lines: [{ sku: "a", qty: 2 }] });
    expect((await ledger.ordersOf(user, { limit: 10 })).length).toBe(2);
  }, 30_000);

  test("the owner's entry is recorded, its orders are found, and its stock is held", async () => {
    const { ledger, writer } = await fresh();
    const user = userOf(0);
    const { epoch, lastId, lastN } = await writer.takeShard(0, "w1");
    expect({ epoch, lastId, lastN }).toEqual({ epoch: 1, lastId: "genesis", lastN: 0 });
    const id = nextId();
    const e = entry(0, 1, "genesis", [rowOf(user, 3, id), rowOf(user, 99)], "reserved,sold_out");
    expect(await writer.record([{ entry: e, epoch }])).toEqual(["recorded"]);
    expect(await ledger.order(user, id)).toMatchObject({
      user,
      id,
      state: "reserved",
      lines: [{ sku: "a", qty: 3 }],
      decidedAtMs: 5,
    });
    expect((await ledger.ordersOf(user, { limit: 10 })).map((o) => o.state)).toEqual([
      "sold_out",
      "reserved",
    ]);
    expect(await ledger.stock("s1")).toEqual([
      { sku: "a", initial: 10, restocked: 0, available: 7, releasing: 0, held: 3, sold: 0 },
    ]);
    expect((await ledger.positions())[0]).toMatchObject({ lastId: "id-0-1", lastN: 1 });
  }, 30_000);

  test("an older epoch is fenced, a broken chain is a fork; neither leaves a trace", async () => {
    const { ledger, writer } = await fresh();
    const first = await writer.takeShard(0, "w1");
    const second = await writer.takeShard(0, "w2");
    const e = entry(0, 1, "genesis", [rowOf(userOf(0), 1)], "reserved");
    expect(await writer.record([{ entry: e, epoch: first.epoch }])).toEqual(["fenced"]);
    expect(await writer.record([{ entry: { ...e, prev: "other" }, epoch: second.epoch }])).toEqual([
      "fork",
    ]);
    expect(await writer.record([{ entry: { ...e, n: 2 }, epoch: second.epoch }])).toEqual(["fork"]);
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 10, held: 0 });
    expect(await writer.record([{ entry: e, epoch: second.epoch }])).toEqual(["recorded"]);
    // Repeated because the answer was lost: it is recorded once. Another entry in its place is a
    // fork.
    expect(await writer.record([{ entry: e, epoch: second.epoch }])).toEqual(["recorded"]);
    expect(await writer.record([{ entry: { ...e, id: "other" }, epoch: second.epoch }])).toEqual([
      "fork",
    ]);
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 9, held: 1 });
  });

  test("stock sells to its last unit; another shard's entries are still recorded", async () => {
    const { ledger, writer } = await fresh();
    const [a, b] = [await writer.takeShard(0, "w"), await writer.takeShard(1, "w")];
    const nine = entry(0, 1, "genesis", [rowOf(userOf(0), 9)], "reserved");
    const two = entry(1, 1, "genesis", [rowOf(userOf(1), 2)], "reserved");
    expect(
      await writer.record([
        { entry: nine, epoch: a.epoch },
        { entry: two, epoch: b.epoch },
      ]),
    ).toEqual(["recorded", "refused"]);
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 1, held: 9 });
    const one = entry(1, 1, "genesis", [rowOf(userOf(1), 1)], "reserved");
    expect(await writer.record([{ entry: one, epoch: b.epoch }])).toEqual(["recorded"]);
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 0, held: 10 });
  });

  test("an order that is already recorded is refused", async () => {
    const { writer } = await fresh();
    const { epoch } = await writer.takeShard(0, "w");
    const row = rowOf(userOf(0), 1);
    expect(
      await writer.record([{ entry: entry(0, 1, "genesis", [row], "sold_out"), epoch }]),
    ).toEqual(["recorded"]);
    expect(
      await writer.record([{ entry: entry(0, 2, "id-0-1", [row], "sold_out"), epoch }]),
    ).toEqual(["refused"]);
    expect(
      await writer.record([{ entry: entry(0, 2, "id-0-1", [row], "=sold_out"), epoch }]),
    ).toEqual(["recorded"]);
  });

  test("conflicts are events, releases change states, rejections have a follow-up", async () => {
    const { ledger, writer } = await fresh();
    const { epoch } = await writer.takeShard(0, "w");
    const user = userOf(0);
    const id = nextId();
    const row = rowOf(user, 1, id);
    await writer.record([
      { entry: entry(0, 1, "genesis", [row, rowOf(user, 1)], "parked,rejected"), epoch },
    ]);
    expect((await ledger.order(user, id))?.state).toBe("parked");
    const released: Entry["released"] = [releasedOf(row, "reserved")];
    const second = entry(0, 2, "id-0-1", [row], "!parked", { released });
    expect(await writer.record([{ entry: second, epoch }])).toEqual(["recorded"]);
    expect((await ledger.order(user, id))?.state).toBe("reserved");
    expect((await ledger.events(user, id)).map((e) => e.event).sort()).toEqual([
      "conflict",
      "reserved",
    ]);
    const thirty = Array.from({ length: 30 }, () => row);
    const third = entry(0, 3, "id-0-2", thirty, Array(30).fill("!reserved").join(","));
    expect(await writer.record([{ entry: third, epoch }])).toEqual(["recorded"]);
    const events = (await ledger.events(user, id)).map((e) => e.event);
    expect(events.filter((event) => event === "conflict")).toHaveLength(10);
    expect(events).toHaveLength(11);
    const open = await ledger.followUps(0, 10);
    expect(open.map((f) => f.routingKey)).toEqual(["orders.dead", "payments"]);
    await writer.followUpsDone(open.map((f) => f.id));
    expect(await ledger.followUpsOpen()).toBe(0);
  });

  test("a parked order has no time of decision until it is released", async () => {
    const { ledger, writer } = await fresh();
    const { epoch } = await writer.takeShard(0, "w");
    const user = userOf(0);
    const [now, early, left] = [nextId(), nextId(), nextId()];
    const row = rowOf(user, 1, early);
    const rows = [rowOf(user, 1, now), row, rowOf(user, 1, left)];
    const first = entry(0, 1, "genesis", rows, "reserved,parked,parked");
    const conflict = entry(0, 2, "id-0-1", [row], "!parked", { atMs: 7 });
    await writer.record([first, conflict].map((e) => ({ entry: e, epoch })));
    const decided = async () =>
      new Map((await ledger.ordersOf(user, { limit: 9 })).map((o) => [o.id, o.decidedAtMs]));
    expect(await decided()).toEqual(
      new Map<string, number | undefined>([
        [left, undefined],
        [early, undefined],
        [now, 5],
      ]),
    );
    const released: Entry["released"] = [releasedOf(row, "reserved")];
    const release = entry(0, 3, "id-0-2", [], "", { released, atMs: 9 });
    const paid = [stepOf("paid", user, early, { lines: [{ sku: "a", qty: 1 }] })];
    const later = entry(0, 4, "id-0-3", [], "", { steps: paid, atMs: 11 });
    const results = await writer.record([release, later].map((e) => ({ entry: e, epoch })));
    expect(results).toEqual(["recorded", "recorded"]);
    expect((await decided()).get(early)).toBe(9);
    expect(await ledger.order(user, early)).toMatchObject({ state: "paid", decidedAtMs: 9 });
    expect((await ledger.order(user, left))?.decidedAtMs).toBeUndefined();
  });

  test("replay returns every entry as it was recorded", async () => {
    const { ledger, writer } = await fresh();
    const { epoch } = await writer.takeShard(1, "w");
    const entries: Entry[] = [];
    for (let n = 1; n <= 40; n++)
      entries.push(
        entry(1, n, n === 1 ? "genesis" : `id-1-${n - 1}`, [rowOf(userOf(1), 1)], "sold_out"),
      );
    await writer.record(entries.map((e) => ({ entry: e, epoch })));
    const seen: Entry[] = [];
    for await (const chunk of ledger.replay(1)) seen.push(...chunk);
    expect(seen).toEqual(entries);
  });

  test("a region is lost until it is back, and nothing has to apply it", async () => {
    const { ledger } = await fresh();
    const declare = (region: string, state: "lost" | "back") =>
      ledger.operate({ kind: "region", ref: crypto.randomUUID(), region, state }, "op");
    const open = await ledger.operationsOpen();
    await declare("eu", "lost");
    await declare("us", "lost");
    await declare("eu", "back");
    expect([...(await ledger.lostRegions())]).toEqual(["us"]);
    await declare("us", "back");
    expect([...(await ledger.lostRegions())]).toEqual([]);
    expect(await ledger.operationsOpen()).toEqual(open);
  });

  test("an operation runs once per reference; other content under it is reported", async () => {
    const { ledger } = await fresh();
    const restock = { kind: "restock", ref: "r2", saleId: "s1", sku: "a", units: 5 } as const;
    const before = await ledger.catalogueVersion();
    expect(await ledger.operate(restock, "op")).toBe("done");
    expect(await ledger.operate(restock, "op")).toBe("repeated");
    expect(await ledger.operate({ ...restock, units: 6 }, "op")).toBe("ref_conflict");
    expect(await ledger.operate({ ...restock, ref: "r3", sku: "x" }, "op")).toBe("unknown_item");
    expect(await ledger.operate({ kind: "close", ref: "r4", saleId: "nope", atMs: 1 }, "op")).toBe(
      "unknown_sale",
    );
    expect((await ledger.stock("s1"))[0]).toMatchObject({ restocked: 5, available: 15 });
    expect(await ledger.catalogueVersion()).toBeGreaterThan(before);
    const open = await ledger.operationsOpen();
    expect(open.map((o) => o.operation.ref)).toEqual(["r1", "r2"]);
    await ledger.operationsDone(open.map((o) => o.id));
    expect(await ledger.operationsOpen()).toEqual([]);
  });

  test("one rebuilder wins, and every shard's epoch increases", async () => {
    const { ledger, writer } = await fresh();
    const { epoch } = await writer.takeShard(0, "w");
    const [one, two] = await Promise.all([writer.beginRebuild(0), writer.beginRebuild(0)]);
    expect([one, two].filter((r) => r === undefined).length).toBe(1);
    expect(await ledger.incarnation()).toBe(1);
    expect((await ledger.positions()).map((p) => p.epoch)).toEqual([epoch + 1, 1]);
    // A halt stands with its first reason, and no rebuild begins until it is ended.
    await ledger.recordHalt("why");
    await ledger.recordHalt("another reason");
    expect(await ledger.halt()).toMatchObject({ reason: "why" });
    expect(await writer.beginRebuild(1)).toBeUndefined();
    await ledger.endHalt();
    expect(await ledger.halt()).toBeUndefined();
    expect(await writer.beginRebuild(1)).toMatchObject({ incarnation: 2 });
  });

  test("opening a ledger with another number of shards fails and names the setting", async () => {
    const { url } = await fresh();
    const error = await openLedger({ runtime: realRuntime, url, shards: SHARDS + 1 }).catch(
      (e: Error) => e,
    );
    expect(error).toBeInstanceOf(LedgerUnavailable);
    expect(messageOf(error)).toContain("SLUICE_SHARDS");
  });

  test("movements sum to zero for every cause", async () => {
    const { url, writer } = await fresh();
    const { epoch } = await writer.takeShard(0, "w");
    await writer.record([
      { entry: entry(0, 1, "genesis", [rowOf(userOf(0), 4)], "reserved"), epoch },
    ]);
    const db = await Db.open(realRuntime, url);
    const sums = await db.run(
      `SELECT cause, SUM(units) AS units, COUNT(*) AS rows
       FROM movements GROUP BY cause ORDER BY cause`,
    );
    expect(sums.map((r) => [r.cause, Number(r.units), Number(r.rows)])).toEqual([
      ["create r1", 0, 2],
      ["entry 0-1", 0, 2],
    ]);
    await db.close();
  });
});

test("the error of a ledger that cannot be opened names its setting", async () => {
  const error = await openLedger({
    runtime: realRuntime,
    url: "sqlite:/nowhere/at/all.db",
    shards: 2,
  }).catch((e: Error) => e);
  expect(error).toBeInstanceOf(LedgerUnavailable);
  expect(messageOf(error)).toContain("SLUICE_LEDGER_URL");
});

test.each([
  ["postgres://ann:s3cr/et@a host/db", "postgres://…@a host/db"],
  ["postgres://127.0.0.1:1/db?sslmode=none&password=s3cr", "db?sslmode=…&password=…"],
  ["sqlite:/nowhere/at/all.db?key=s3cr", "sqlite:/nowhere/at/all.db?key=…"],
])("the error of %s has no secret of it", async (url, shown) => {
  const error = await openLedger({ runtime: realRuntime, url, shards: 2 }).catch((e: Error) => e);
  expect(messageOf(error)).toContain(shown);
  expect(messageOf(error)).not.toContain("s3cr");
});
