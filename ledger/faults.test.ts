import { afterAll, describe, expect, test } from "bun:test";
import { at } from "../core/domain/at.ts";
import { messageText } from "../core/domain/message.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { emptyDatabase, testDir } from "../test/services.ts";
import type { Ledger, LedgerWriter } from "./contract.ts";
import { Db, LedgerUnavailable } from "./db.ts";
import { ORDERS_PER_ENTRY } from "./faults.child.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, userOf } from "./test-entries.ts";

const CHILD = new URL("./faults.child.ts", import.meta.url).pathname;
const child = (what: "open" | "record", url: string) =>
  Bun.spawn([process.execPath, CHILD, what, url], { stderr: "inherit" });

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

async function opened(
  url: string,
  units = 1_000_000,
): Promise<{ url: string; ledger: Ledger; writer: LedgerWriter }> {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const writer = await openLedgerWriter(realRuntime, url);
  open.push(ledger, writer);
  await ledger.operate({ kind: "create", ref: "r1", sale: saleOf(units) }, "op");
  return { url, ledger, writer };
}

/** Kills the child once it has confirmed `until`. Returns the last number it confirmed. */
async function killAfter(until: number, url: string): Promise<number> {
  const worker = child("record", url);
  let text = "";
  const lines = () => text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  const decoder = new TextDecoder();
  for await (const part of worker.stdout) {
    text += decoder.decode(part, { stream: true });
    if (worker.killed || lines().filter(Boolean).length < until) continue;
    worker.kill("SIGKILL");
  }
  await worker.exited;
  return Number(lines().filter(Boolean).at(-1));
}

const sqliteUrl = async () => `sqlite:${testDir("ledger")}/ledger.db`;
const databases = [
  ["sqlite", sqliteUrl],
  ["postgres", emptyDatabase],
] as const;

describe.each(databases)("%s", (_, freshUrl) => {
  test("a worker killed while recording leaves whole transactions to the next one", async () => {
    const { url, ledger, writer } = await opened(await freshUrl());
    for (const until of [1, 7, 20]) {
      const confirmed = await killAfter(until, url);
      // Taking the shards waits for until the database ends the killed worker's session.
      const positions = [await writer.takeShard(0, "next"), await writer.takeShard(1, "next")];
      const lastN = positions[0]?.lastN ?? 0;
      expect(positions[1]?.lastN).toBe(lastN);
      expect(lastN).toBeGreaterThanOrEqual(confirmed);
      expect(lastN).toBeLessThanOrEqual(confirmed + 1);
      expect(await countsOf(url)).toEqual({
        entries: 2 * lastN,
        messages: 2 * lastN,
        orders: 2 * lastN * ORDERS_PER_ENTRY,
        units: 0,
      });
      expect((await ledger.stock("s1"))[0]?.held).toBe(2 * lastN);
    }
  }, 60_000);

  test("two concurrent writers on two shards sell one item to its last unit", async () => {
    const { url, ledger, writer } = await opened(await freshUrl(), 60);
    const other = await openLedgerWriter(realRuntime, url);
    open.push(other);
    const sell = async (by: LedgerWriter, shard: number) => {
      const { epoch } = await by.takeShard(shard, "w");
      let sold = 0;
      for (let n = 1; n <= 40; n++) {
        const entry = entryOf(
          shard,
          n,
          [orderRow(userOf(shard), Bun.randomUUIDv7(), 1)],
          "reserved",
        );
        const [result] = await by.record([{ entry, epoch }]);
        if (result !== "recorded") return { sold, result };
        sold++;
      }
      return { sold, result: "recorded" };
    };
    const [one, two] = await Promise.all([sell(writer, 0), sell(other, 1)]);
    expect(one.sold + two.sold).toBe(60);
    expect([one.result, two.result]).toContain("refused");
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 0, held: 60 });
  }, 30_000);

  test("a writer that loses its shard is fenced; only what it saw recorded is there", async () => {
    const { url, ledger, writer } = await opened(await freshUrl());
    const { epoch } = await writer.takeShard(0, "old");
    const next = await openLedgerWriter(realRuntime, url);
    open.push(next);
    let lastRecorded = 0;
    const old = (async () => {
      for (let n = 1; ; n++) {
        const entry = entryOf(0, n, [orderRow(userOf(0), Bun.randomUUIDv7(), 1)], "sold_out");
        const [result] = await writer.record([{ entry, epoch }]);
        if (result !== "recorded") return result;
        lastRecorded = n;
      }
    })();
    const position = await next.takeShard(0, "new");
    expect(await old).toBe("fenced");
    expect(position.lastN).toBe(lastRecorded);
    expect((await ledger.positions())[0]).toMatchObject({
      lastN: lastRecorded,
      epoch: position.epoch,
    });
  }, 30_000);

  test("processes that open a new ledger together create one store, only once", async () => {
    const url = await freshUrl();
    const ids = await Promise.all(
      [1, 2, 3].map(() => new Response(child("open", url).stdout).text()),
    );
    expect(new Set(ids).size).toBe(1);
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    open.push(ledger);
    expect(ids[0]).toBe(`${ledger.storeId}\n`);
  }, 30_000);

  test("a shard's entries are recorded up to the refused one, and not after it", async () => {
    const { ledger, writer } = await opened(await freshUrl(), 2);
    const epochs = [(await writer.takeShard(0, "w")).epoch, (await writer.takeShard(1, "w")).epoch];
    const entry = (shard: number, n: number, qty: number) => ({
      entry: entryOf(shard, n, [orderRow(userOf(shard), Bun.randomUUIDv7(), qty)], "reserved"),
      epoch: at(epochs, shard),
    });
    const results = await writer.record([
      entry(0, 1, 1),
      entry(0, 2, 9),
      entry(1, 1, 1),
      entry(0, 3, 0),
    ]);
    expect(results).toEqual(["recorded", "refused", "recorded", "refused"]);
    expect((await ledger.positions()).map((p) => p.lastN)).toEqual([1, 1]);
  });

  test("an entry with unreadable text is set aside and not retried", async () => {
    const { writer } = await opened(await freshUrl());
    const { epoch } = await writer.takeShard(0, "w");
    const good = orderRow(userOf(0), Bun.randomUUIDv7(), 1);
    let n = 0;
    for (const [body, outcomes] of [
      ['[["o",0x10]]', "sold_out"],
      ["{}", "sold_out"],
      [messageText([good]), "sold_out,sold_out"],
    ] as const) {
      const entry = entryOf(0, ++n, [], "", {
        messages: [{ gateway: "g", batch: "1", body, outcomes }],
      });
      expect(await writer.record([{ entry, epoch }])).toEqual(["unreadable"]);
    }
    expect(await writer.record([{ entry: entryOf(0, ++n, [good], "sold_out"), epoch }])).toEqual([
      "recorded",
    ]);
  });

  test("after a commit without an answer, its entries are recognized one by one", async () => {
    const { ledger, writer } = await opened(await freshUrl());
    const { epoch } = await writer.takeShard(0, "w");
    const other = await writer.takeShard(1, "w");
    const sold = (shard: number, n: number) => ({
      entry: entryOf(shard, n, [orderRow(userOf(shard), Bun.randomUUIDv7(), 1)], "reserved"),
      epoch: shard === 0 ? epoch : other.epoch,
    });
    const first = [sold(0, 1), sold(0, 2), sold(1, 1), sold(0, 3), sold(1, 2)];
    const all = first.map(() => "recorded" as const);
    expect(await writer.record(first)).toEqual(all);
    expect(await writer.record(first)).toEqual(all);
    expect(await writer.record([...first, sold(0, 4)])).toEqual([...all, "recorded"]);
    expect((await ledger.stock("s1"))[0]?.held).toBe(6);
    // Another id at a taken number is a fork, and so is every later entry.
    const strange = sold(0, 2);
    const forked = { epoch, entry: { ...strange.entry, id: "of another history" } };
    expect(await writer.record([forked, sold(0, 5), sold(1, 3)])).toEqual([
      "fork",
      "fork",
      "recorded",
    ]);
    expect((await ledger.positions()).map((p) => p.lastN)).toEqual([4, 3]);
  }, 30_000);

  test("a former owner's recorded entries count; its other entries are fenced", async () => {
    const { ledger, writer } = await opened(await freshUrl());
    const former = await writer.takeShard(0, "former");
    const sold = (n: number) =>
      entryOf(0, n, [orderRow(userOf(0), Bun.randomUUIDv7(), 1)], "reserved");
    const [one, two, three] = [sold(1), sold(2), sold(3)];
    await writer.record([one, two].map((entry) => ({ entry, epoch: former.epoch })));
    const { epoch, lastN } = await writer.takeShard(0, "present");
    expect(lastN).toBe(2);
    const strange = { ...sold(2), id: "of another history" };
    const results = await writer.record([
      ...[one, two, strange, three].map((entry) => ({ entry, epoch: former.epoch })),
      { entry: three, epoch },
    ]);
    expect(results).toEqual(["recorded", "recorded", "fenced", "fenced", "recorded"]);
    expect((await ledger.stock("s1"))[0]?.held).toBe(3);
  }, 30_000);

  test("a statement beside a transaction survives its rollback", async () => {
    const { url } = await opened(await freshUrl());
    const db = await Db.open(realRuntime, url);
    open.push(db);
    await db.run("CREATE TABLE beside (x INTEGER)");
    const undone = db.transaction(async (tx) => {
      for (let i = 0; i < 5; i++) await tx.run("INSERT INTO beside VALUES (0)");
      throw new Error("undo");
    });
    await Promise.all([undone.catch(() => undefined), db.run("INSERT INTO beside VALUES (1)")]);
    expect((await db.run("SELECT x FROM beside")).map((r) => Number(r.x))).toEqual([1]);
  });
});

test("a writer whose thread ends rejects waiting calls and starts a new thread", async () => {
  const { writer } = await opened(await sqliteUrl());
  const { epoch } = await writer.takeShard(0, "w");
  const rows = Array.from({ length: 2_000 }, () => orderRow(userOf(0), Bun.randomUUIDv7(), 1));
  const entry = entryOf(0, 1, rows, rows.map(() => "sold_out").join(","));
  const cut = writer.record([{ entry, epoch }]);
  (writer as unknown as { thread: { worker: Worker } }).thread.worker.terminate();
  expect(await cut.catch((e: Error) => e)).toBeInstanceOf(LedgerUnavailable);
  const position = await writer.takeShard(0, "w");
  expect(await writer.record([{ entry, epoch: position.epoch }])).toEqual(["recorded"]);
}, 30_000);

test("a user's orders are found in a Postgres database with a language's locale", async () => {
  const base = await emptyDatabase();
  const admin = await Db.open(realRuntime, base);
  await admin.run(
    "CREATE DATABASE in_english LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0",
  );
  await admin.close();
  const { ledger, writer } = await opened(base.replace(/[^/]*$/, "in_english"));
  const { epoch } = await writer.takeShard(0, "w");
  const ids = [Bun.randomUUIDv7("hex", 1e12), Bun.randomUUIDv7("hex", 2e12)];
  const rows = ids.map((id) => orderRow(userOf(0), id, 1));
  await writer.record([{ entry: entryOf(0, 1, rows, "sold_out,sold_out"), epoch }]);
  expect((await ledger.ordersOf(userOf(0), { limit: 10 })).map((o) => o.id)).toEqual(
    ids.toReversed(),
  );
});

async function countsOf(url: string): Promise<Record<string, number>> {
  const db = await Db.open(realRuntime, url);
  const count = async (text: string) => Number((await db.run(text))[0]?.c);
  const counts = {
    entries: await count("SELECT COUNT(*) AS c FROM entries"),
    messages: await count("SELECT COUNT(*) AS c FROM messages"),
    orders: await count("SELECT COUNT(*) AS c FROM orders"),
    units: await count("SELECT COALESCE(SUM(units), 0) AS c FROM movements"),
  };
  await db.close();
  return counts;
}

test("waiting for another process's transaction blocks nothing else and ends with it", async () => {
  const url = `sqlite:${testDir("busy")}/ledger.db`;
  await (await openLedger({ runtime: realRuntime, url, shards: 1 })).close();
  const [one, two] = [await Db.open(realRuntime, url), await Db.open(realRuntime, url)];
  const over = Promise.withResolvers<void>();
  const sitting = one.transaction(async (tx) => {
    await tx.run("UPDATE store SET incarnation = incarnation");
    await over.promise;
  });
  let beats = 0;
  const heart = setInterval(() => beats++, 5);
  let written = false;
  const writing = two.run("UPDATE store SET incarnation = incarnation").then(() => {
    written = true;
  });
  while (beats < 20) await Bun.sleep(5);
  expect(written).toBe(false);
  over.resolve();
  await Promise.all([sitting, writing]);
  clearInterval(heart);
  await one.close();
  await two.close();
});
