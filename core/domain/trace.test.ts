import { expect, test } from "bun:test";
import { messageText, readMessage } from "./message.ts";
import { cancelRow, orderRow, redriveRow } from "./row.ts";
import { isSampled, readTraceparent, spanIdOf, tracedOrders, traceIdOf } from "./trace.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("the parts of a traceparent are read", () => {
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

test("a later version is read as far as it is known, and passed on as version 00", () => {
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
])("ignored, as the standard says: %s", (_, text) => {
  expect(readTraceparent(text)).toBeUndefined();
});

test("the trace is not part of the fingerprint, and a redrive keeps it", () => {
  const order = {
    user: "u",
    id: Bun.randomUUIDv7(),
    saleId: "s",
    seq: 0,
    currency: "EUR",
    lines: [{ sku: "a", qty: 1 }],
    ...{ payment: "", metadata: "", maxTotal: 0 },
  };
  const [plain, traced] = [orderRow(order, 1), orderRow(order, 1, TRACE)];
  expect(traced).toEqual({ ...plain, trace: TRACE });
  const again = redriveRow(traced, 2);
  expect(again).toEqual({ ...traced, kind: "redrive", generation: 2 });
  const rows = readMessage(messageText([plain, again, cancelRow("v", order.id, 3), traced]));
  expect(tracedOrders(rows).map(({ at, traceparent }) => [at, traceparent])).toEqual([
    [1, TRACE],
    [3, TRACE],
  ]);
});

test("a rejected row may hold anything in the place of its trace: it has none", () => {
  const order = `u ${Bun.randomUUIDv7()}`;
  const trace = [null, TRACE, 5, {}, [TRACE], "nonsense"];
  const rows = readMessage(JSON.stringify({ v: 1, order: trace.map(() => order), trace }));
  expect(tracedOrders(rows).map(({ at }) => at)).toEqual([1]);
});
