// What the audit log keeps: every change, and a bounded number of calls that change nothing.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { type AuditKept, type AuditLook, audit, auditBegin, auditLog } from "./audit-log.ts";
import { Db } from "./db.ts";
import { migrate } from "./migrations.ts";

setDefaultTimeout(30_000);
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  await freshDatabase(); // the server takes a while to start
}, 120_000);
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("audit")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;
const DAY_MS = 86_400_000;
const KEPT: AuditKept = { reads: 5, strangers: 3, forMs: 90 * DAY_MS };
const NOW_MS = 1_000 * DAY_MS;

describe.each(databases)("%s", (_, freshUrl) => {
  async function fresh() {
    const db = await Db.open(realRuntime, await freshUrl());
    open.push(db);
    await migrate(db);
    const look = (action: string, more: Partial<AuditLook> = {}, kept = KEPT) => {
      const of = { subject: "olga", action, target: "", detail: "{}", status: 200, atMs: NOW_MS };
      return audit(db, { ...of, ...more }, kept);
    };
    const change = (action: string) =>
      auditBegin(db, { subject: "olga", action, target: "", detail: "{}" }, NOW_MS);
    const actions = async (changes = false) =>
      (await auditLog(db, { limit: 100, changes })).records.map(({ action }) => action).reverse();
    return { look, change, actions };
  }

  test("reads take the place of older reads, never that of a change", async () => {
    const { look, change, actions } = await fresh();
    await change("sales.close");
    for (let i = 1; i <= 20; i++) {
      await look(`read ${i}`);
      if (i === 17) await change("sales.open");
    }
    expect(await actions()).toEqual([
      ...["sales.close", "read 16", "read 17", "sales.open", "read 18", "read 19", "read 20"],
    ]);
    expect(await actions(true)).toEqual(["sales.close", "sales.open"]);
  });

  test("strangers push out none of the operators' reads", async () => {
    const { look, actions } = await fresh();
    await look("orders.list");
    for (let i = 1; i <= 20; i++) await look(`stranger ${i}`, { stranger: true });
    expect(await actions()).toEqual([
      ...["orders.list", "stranger 18", "stranger 19", "stranger 20"],
    ]);
  });

  test("old reads go, and a lower limit is reached step by step", async () => {
    const { look, change, actions } = await fresh();
    await change("sales.close");
    const wide = { ...KEPT, reads: 100 };
    for (let i = 1; i <= 6; i++) await look(`old ${i}`, { atMs: NOW_MS - 91 * DAY_MS }, wide);
    for (let i = 1; i <= 12; i++) await look(`young ${i}`, {}, wide);
    expect((await actions()).filter((action) => action.startsWith("old"))).toEqual([]);
    for (let i = 13; i <= 24; i++) await look(`young ${i}`);
    expect(await actions()).toEqual([
      "sales.close",
      ...[20, 21, 22, 23, 24].map((n) => `young ${n}`),
    ]);
  });
});
