import { expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outputOf } from "../../test/output-of.ts";
import { testDir } from "../../test/services.ts";
import { HistoryFile } from "../history-file.ts";
import { checkHistory, hasGo } from "./run.ts";

/** A first build compiles Go's own library too. */
setDefaultTimeout(180_000);

const NEEDS_GO = hasGo() ? "" : " (SKIPPED: Go is not installed)";
const CLI = join(import.meta.dir, "..", "..", "cli", "cli.ts");
const BODY = { saleId: "s", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };

/** One user takes the only lamp, another is refused. Returns the file's path. */
function writeSale(end: { readonly drained: boolean }): string {
  let t = Date.now();
  const path = join(testDir("checker"), "events.jsonl");
  const file = new HistoryFile(path, { gapTimeoutMs: 30_000 }, () => t++);
  const lamp = { sku: "lamp", name: "Lamp", category: "home", priceMinor: 1, limitPerUser: 0 };
  file.sale({ id: "s", currency: "EUR", items: [{ ...lamp, initial: 1 }] });
  const states = { ann: "dispatched", bob: "sold_out" };
  for (const user of ["ann", "bob"] as const) {
    const caller = { client: "c", via: "http", region: "eu", user } as const;
    const id = `order-of-${user}`;
    file.answer(file.order({ ...caller, id }, JSON.stringify(BODY)), { status: 202 });
    const orders = [{ id, user, status: states[user], ...BODY }];
    file.answer(file.orders(caller), { status: 200, orders });
  }
  file.close({ ...end, clock: "steady" });
  return path;
}

test.skipIf(!hasGo())(`the checker's own tests pass${NEEDS_GO}`, async () => {
  expect(await outputOf(["go", "test", "./..."], { cwd: import.meta.dir })).toMatchObject({
    code: 0,
  });
});

test.skipIf(!hasGo())(`what the writer writes, the checker judges${NEEDS_GO}`, async () => {
  expect(await checkHistory([writeSale({ drained: true })])).toMatchObject({
    result: "pass",
    users: 2,
    items: 1,
    orders: 2,
    calls: 4,
    unknown: 0,
    findings: [],
  });
  expect((await checkHistory([writeSale({ drained: false })])).result).toBe("inconclusive");
});

test.skipIf(!hasGo())(
  `a false history exits with 1 and prints the lines that show it${NEEDS_GO}`,
  async () => {
    const path = writeSale({ drained: true });
    const lie = readFileSync(path, "utf8").replace('"sold_out"', '"dispatched"');
    writeFileSync(path, lie);
    const { code, out } = await outputOf([process.execPath, CLI, "check-history", path], {});
    expect(code).toBe(1);
    expect(out).toContain("I5  an item with 1 units was oversold");
    expect(out).toContain('"op":"order","client":"c"');
    appendFileSync(path, "no line of a history\n");
    const broken = await outputOf([process.execPath, CLI, "check-history", path], {});
    expect(broken).toMatchObject({ code: 3 });
    expect(broken.err).toContain("line 12");
  },
);

test("without Go it says so, and gives no result", async () => {
  const run = await outputOf([process.execPath, CLI, "check-history", "any.jsonl"], {
    env: { ...process.env, PATH: "/nowhere" },
  });
  expect(run).toMatchObject({ code: 3 });
  expect(run.err).toContain("needs Go");
});
