// A paid order's lines go out in one part per service; routes name the service.
import { afterAll, describe, expect, test } from "bun:test";
import { at } from "../core/domain/at.ts";
import type { Entry, OrderStep, Step } from "../core/domain/entry.ts";
import type { Part } from "../core/domain/part.ts";
import { partRow, type Row } from "../core/domain/row.ts";
import type { Sale } from "../core/domain/sale.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { LedgerAudit } from "./audit.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, stepOf as stepOfOrder, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const open of closing) await open.close();
});

const USER = userOf(0);
const item = (sku: string, category: string) => ({
  sku,
  name: sku,
  category,
  priceMinor: 100,
  limitPerUser: 0,
  initial: 50,
});
const SALE: Sale = {
  id: "s1",
  name: "Sale",
  currency: "EUR",
  opensAtMs: 0,
  closesAtMs: 9e12,
  items: [item("radio", "audio"), item("lamp", "home"), item("book", "books")],
};
const LINES = [
  { sku: "radio", qty: 1 },
  { sku: "lamp", qty: 2 },
  { sku: "book", qty: 3 },
];

async function fresh(dialect: string) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("parts")}/l.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: SALE }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const audit = await LedgerAudit.open(realRuntime, url);
  closing.push(ledger, writer, audit);
  const { epoch } = await writer.takeShard(0, "w");
  let n = 0;
  const record = async (rows: readonly Row[], words: string, more: Partial<Entry> = {}) =>
    expect(await writer.record([{ entry: entryOf(0, ++n, rows, words, more), epoch }])).toEqual([
      "recorded",
    ]);
  const route = (category: string, service: string, region = "") =>
    ledger.operate({ kind: "route", ref: crypto.randomUUID(), category, region, service }, "test");
  /** A paid order of all three items, accepted by a gateway, and the parts it goes out in. */
  const pay = async (
    gateway: string,
  ): Promise<{ id: string; parts: (Part & { key: string })[] }> => {
    const id = Bun.randomUUIDv7();
    const order = { lines: LINES, metadata: '{"to":"Ada"}' };
    await record([orderRow(USER, id, 1, order)], "reserved");
    const before = new Set((await ledger.followUps(0, 100)).map((f) => f.id));
    await record([], "", { steps: [stepOf("paid", id, gateway, "")] });
    const sent = (await ledger.followUps(0, 100)).filter(
      (f) => !before.has(f.id) && f.exchange === "fulfilment",
    );
    return {
      id,
      parts: sent.flatMap((f) =>
        (JSON.parse(f.body) as Part[]).map((p) => ({ ...p, key: f.routingKey })),
      ),
    };
  };
  return { ledger, writer, audit, record, route, pay };
}

const stepOf = (what: OrderStep["what"], id: string, gateway: string, detail: string): Step =>
  stepOfOrder(what, USER, id, { gateway, lines: LINES, detail });

async function statuses(audit: LedgerAudit, id: string): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of audit.parts())
    for (const p of chunk) if (p.id === id) found.push(`${p.part} ${p.service || "-"} ${p.status}`);
  return found;
}

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("without routes each category is its own part, under its region", async () => {
    const { audit, pay } = await fresh(dialect);
    const { id, parts } = await pay("eu.gateway-1");
    expect(
      parts.map((p) => [
        p.key,
        p.part,
        p.of,
        p.lines.map((l) => `${l.sku} ${l.qty} ${l.category}`).join(),
      ]),
    ).toEqual([
      ["eu.audio", 1, 3, "radio 1 audio"],
      ["eu.home", 2, 3, "lamp 2 home"],
      ["eu.books", 3, 3, "book 3 books"],
    ]);
    expect(parts[0]).toMatchObject({
      user: USER,
      id,
      saleId: "s1",
      generation: 1,
      shard: 0,
      region: "eu",
      metadata: '{"to":"Ada"}',
    });
    expect(await statuses(audit, id)).toEqual(["1 - waiting", "2 - waiting", "3 - waiting"]);
    expect(await audit.partsOpen()).toBe(0); // no service has them yet
  });

  test("a service's categories form one part; a region's own route takes precedence", async () => {
    const { route, pay, audit } = await fresh(dialect);
    await route("audio", "east");
    await route("books", "east");
    await route("home", "west");
    await route("books", "far", "us");
    const eu = await pay("eu.gateway-1");
    expect(eu.parts.map((p) => [p.key, p.lines.map((l) => l.sku).join()])).toEqual([
      ["eu.audio", "radio,book"],
      ["eu.home", "lamp"],
    ]);
    expect(
      (await pay("us.gateway-1")).parts.map((p) => [p.key, p.lines.map((l) => l.sku).join()]),
    ).toEqual([
      ["us.audio", "radio"],
      ["us.home", "lamp"],
      ["us.books", "book"],
    ]);
    expect(await audit.partsOpen()).toBe(5);
    await route("books", "");
    expect((await pay("eu.gateway-1")).parts.map((p) => p.lines.map((l) => l.sku).join())).toEqual([
      "radio",
      "lamp",
      "book",
    ]);
  });

  test("claimed, done, dispatched: the part's row and the order's events record it", async () => {
    const { ledger, audit, record, route, pay } = await fresh(dialect);
    for (const category of ["audio", "books", "home"]) await route(category, "east");
    const { id } = await pay("eu.gateway-1");
    await record([], "", { steps: [stepOf("claimed", id, "eu.gateway-1", "1 1 east")] });
    expect(await statuses(audit, id)).toEqual(["1 east claimed"]);
    await record([], "", {
      steps: [
        stepOf("done", id, "eu.gateway-1", "1 1 east"),
        stepOf("dispatched", id, "eu.gateway-1", ""),
      ],
    });
    expect(await statuses(audit, id)).toEqual(["1 east done"]);
    expect((await ledger.order(USER, id))?.state).toBe("dispatched");
    expect((await ledger.events(USER, id)).map((e) => e.event)).toEqual([
      "paid",
      "claimed",
      "done",
      "dispatched",
    ]);
    expect(await audit.partsOpen()).toBe(0);
  });

  test("a cancelled order's parts are cancelled", async () => {
    const { audit, record, route, pay } = await fresh(dialect);
    await route("audio", "east");
    const { id } = await pay("eu.gateway-1");
    await record([], "", {
      steps: [
        stepOf("cancelled", id, "eu.gateway-1", "sold"),
        stepOf("refund", id, "eu.gateway-1", ""),
      ],
    });
    expect(await statuses(audit, id)).toEqual([
      "1 east cancelled",
      "2 - cancelled",
      "3 - cancelled",
    ]);
  });

  test("an order paid and cancelled in one entry has cancelled parts", async () => {
    const { audit, record } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    await record([orderRow(USER, id, 1, { lines: LINES })], "reserved");
    await record([], "", {
      steps: [
        stepOf("paid", id, "g", ""),
        stepOf("cancelled", id, "g", "sold"),
        stepOf("refund", id, "g", ""),
      ],
    });
    expect(await statuses(audit, id)).toEqual(["1 - cancelled", "2 - cancelled", "3 - cancelled"]);
  });

  test("a claimed part is asked for again at its service, wherever the routes lead", async () => {
    const { ledger, writer, record, route, pay } = await fresh(dialect);
    for (const category of ["audio", "home", "books"]) await route(category, "east");
    const { id, parts } = await pay("eu.gateway-1");
    await record([], "", { steps: [stepOf("claimed", id, "eu.gateway-1", "1 1 east")] });
    for (const category of ["audio", "home", "books"]) await route(category, "west");
    const waiting = await pay("eu.gateway-1");
    const part = at(parts, 0);
    await record([partRow(part, "later", "east", 1)], "+late");
    const sent = async () =>
      (await ledger.followUps(0, 100, { dueMs: 9e12, except: [] }))
        .filter(({ routingKey }) => !routingKey.startsWith("payments"))
        .map(({ exchange, routingKey, body }) => {
          const [{ id: about, request = 1 }] = JSON.parse(body) as [Part];
          return [`${exchange} ${routingKey}`, about, request];
        });
    expect(await sent()).toContainEqual([" fulfilment.east", id, 2]);
    await writer.askAgain();
    expect(await sent()).toEqual([
      [" fulfilment.east", id, 3],
      ["fulfilment eu.audio", waiting.id, 2],
    ]);
  });

  test("a route changes once per reference; other content under it is refused", async () => {
    const { ledger } = await fresh(dialect);
    const route = {
      kind: "route",
      ref: "r1",
      category: "audio",
      region: "",
      service: "east",
    } as const;
    expect(await ledger.operate(route, "op")).toBe("done");
    expect(await ledger.operate(route, "op")).toBe("repeated");
    expect(await ledger.operate({ ...route, service: "west" }, "op")).toBe("ref_conflict");
    expect(await ledger.routes()).toEqual([{ category: "audio", region: "", service: "east" }]);
    await ledger.operate({ ...route, ref: "r2", service: "" }, "op");
    expect([await ledger.routes(), await ledger.formerRoutes()]).toEqual([
      [],
      [{ category: "audio", service: "east" }],
    ]);
  });
});
