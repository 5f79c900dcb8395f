import { expect, test } from "bun:test";
import { orderRowText, redrivenOrder, redriveRowText } from "./order.ts";
import { isSampled, readTraceparent, spanIdOf, traceIdOf } from "./trace.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("a traceparent is read by its parts", () => {
  expect(readTraceparent(TRACE)).toBe(TRACE);
  expect([traceIdOf(TRACE), spanIdOf(TRACE), isSampled(TRACE)]).toEqual([
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
    true,
  ]);
  expect([
    isSampled(`${TRACE.slice(0, -2)}00`),
    isSampled(`${TRACE.slice(0, -2)}02`),
    isSampled(`${TRACE.slice(0, -2)}0b`),
  ]).toEqual([false, false, true]);
});

test("one of a later version is read as far as it is known, and handed on as version 00", () => {
  expect(readTraceparent(`cc${TRACE.slice(2)}-what-the-future-says`)).toBe(TRACE);
  expect(readTraceparent(`01${TRACE.slice(2)}`)).toBe(TRACE);
});

test.each([
  ["none", null],
  ["empty", ""],
  ["the forbidden version", `ff${TRACE.slice(2)}`],
  ["an all-zero trace id", `00-${"0".repeat(32)}-b7ad6b7169203331-01`],
  ["an all-zero parent id", `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`],
  ["capitals", TRACE.toUpperCase()],
  ["more than version 00 has", `${TRACE}-00`],
  ["too short", TRACE.slice(0, -1)],
  ["what would break out of a JSON text", `${TRACE.slice(0, -2)}0"`],
  ["a line break at the end", `${TRACE}\n`],
])("ignored, as the standard has it: %s", (_, text) => {
  expect(readTraceparent(text)).toBeUndefined();
});

test("the trace is no part of what was ordered, and stays with the order when it is tried again", () => {
  const order = {
    user: "u",
    id: Bun.randomUUIDv7(),
    saleId: "s",
    seq: 0,
    currency: "EUR",
    lines: [{ sku: "a", qty: 1 }],
  };
  const all = { ...order, payment: "", metadata: "", maxTotal: 0 };
  const [plain, traced] = [
    JSON.parse(orderRowText(all, 1)),
    JSON.parse(orderRowText(all, 1, TRACE)),
  ];
  expect(traced).toEqual([...plain, TRACE]);
  for (const row of [plain, traced])
    expect(redrivenOrder(JSON.parse(redriveRowText(row, 2)))).toEqual(row);
  expect(JSON.parse(redriveRowText(traced, 2))).toEqual(["r", ...plain.slice(1), 2, TRACE]);
});
