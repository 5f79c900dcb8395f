import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { LedgerAudit } from "./audit.ts";
import type { Ledger } from "./contract.ts";
import { openLedger } from "./open.ts";
import { SHARDS, saleOf } from "./test-entries.ts";

const opened: Ledger[] = [];
afterAll(async () => {
  for (const ledger of opened) await ledger.close();
});

test.each([
  ["sqlite", async () => `sqlite:${join(testDir("snapshot"), "ledger.db")}`],
  ["postgres", freshDatabase],
])(
  "on %s every query of a snapshot sees the ledger as of its first one",
  async (_, fresh) => {
    const url = await fresh();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    opened.push(ledger);
    await ledger.operate({ kind: "create", ref: "a", sale: saleOf(1) }, "test");
    const looks = await LedgerAudit.snapshot(realRuntime, url, async (audit) => {
      const before = await audit.sales();
      await ledger.operate({ kind: "create", ref: "b", sale: { ...saleOf(1), id: "s2" } }, "test");
      await ledger.operate({ kind: "restock", ref: "r", saleId: "s1", sku: "a", units: 4 }, "test");
      return [before, await audit.sales(), await audit.items()] as const;
    });
    expect(looks[0].map(({ id }) => id)).toEqual(["s1"]);
    expect(looks[1]).toEqual(looks[0]);
    expect(looks[2].map(({ restocked }) => restocked)).toEqual([0]);
    const audit = await LedgerAudit.open(realRuntime, url);
    expect((await audit.items()).map(({ restocked }) => restocked)).toEqual([4, 0]);
    await audit.close();
  },
  30_000,
);
