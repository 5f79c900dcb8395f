import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../test/services.ts";
import { HistoryFile } from "./history-file.ts";

const ANN = { client: "c1", via: "ws", region: "eu", user: "ann" } as const;
const BODY = { saleId: "s", seq: 1, currency: "EUR", lines: [{ sku: "a", qty: 2 }] };

function open(): HistoryFile {
  let now = 0;
  const rules = { gapTimeoutMs: 30_000, secret: "settings hold more than the file may" };
  return new HistoryFile(join(testDir("events"), "events.jsonl"), rules, () => ++now);
}

function linesOf(file: HistoryFile): unknown[] {
  const text = readFileSync(file.path, "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

test("each call has a line when it begins and one with its answer, in the order of events", () => {
  const file = open();
  const item = { sku: "a", name: "A", category: "x", priceMinor: 1, limitPerUser: 2, initial: 5 };
  file.sale({ id: "s", currency: "EUR", items: [item] });
  const order = file.order({ ...ANN, id: "id-1" }, JSON.stringify(BODY));
  const cancel = file.cancel({ ...ANN, id: "id-1" });
  file.answer(order, { status: 202, code: "", state: "" });
  file.answer(cancel, { status: 409, code: "too_late" });
  const seen = { client: "c1", via: "push", user: "ann", id: "id-1" } as const;
  file.saw({ ...seen, state: "reserved" });
  const read = file.orders(ANN);
  const shown = { user: "ann", id: "id-1", status: "paid", ...BODY };
  file.answer(read, { status: 200, orders: [{ ...shown, metadata: {} } as typeof shown] });
  file.close({ drained: true, clock: "steady" });
  expect(linesOf(file)).toEqual([
    { e: "start", v: 1, t: 1, gapTimeoutMs: 30_000 },
    { e: "sale", t: 2, id: "s", currency: "EUR", items: [{ sku: "a", units: 5, limit: 2 }] },
    { e: "invoke", call: 1, t: 3, op: "order", ...ANN, id: "id-1", body: BODY },
    { e: "invoke", call: 2, t: 4, op: "cancel", ...ANN, id: "id-1" },
    { e: "return", call: 1, t: 5, status: 202 },
    { e: "return", call: 2, t: 6, status: 409, code: "too_late" },
    { e: "saw", t: 7, ...seen, state: "reserved" },
    { e: "invoke", call: 3, t: 8, op: "orders", ...ANN },
    { e: "return", call: 3, t: 9, status: 200, orders: [shown] },
    { e: "end", t: 10, drained: true, clock: "steady" },
  ]);
});

test("no more than 256 KiB wait for the disk", () => {
  const file = open();
  const body = JSON.stringify(BODY);
  let written = statSync(file.path).size;
  let inBuffer = 0;
  for (let i = 0; i < 5_000; i++) {
    const call = file.order({ ...ANN, id: `${i}` }, body);
    file.answer(call, { status: 0 });
    const now = statSync(file.path).size;
    // A line pair has more than 200 bytes, so this counts less than what really waits.
    inBuffer = now === written ? inBuffer + 200 : 0;
    written = now;
    expect(inBuffer).toBeLessThanOrEqual(256 * 1024);
  }
  file.close({ drained: false, clock: "jumps" });
  expect(linesOf(file).length).toBe(10_002);
});
