// Whatever the text, sift() returns fast enough not to hold up other shards.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { LIMITS } from "../../core/domain/limits.ts";
import { allRows, messageText, readMessage } from "../../core/domain/message.ts";
import { answerRow, cancelRow, orderRow, type Row, skipRow } from "../../core/domain/row.ts";
import { sift } from "./sift.ts";

const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const ORDER = {
  user: "ann",
  id: ID,
  saleId: "s1",
  seq: 2,
  currency: "EUR",
  lines: [
    { sku: "a", qty: 1 },
    { sku: "b", qty: 2 },
  ],
  payment: "tok",
  metadata: '{"x":1}',
  maxTotal: 9,
};
const PLACED = ["ann", ID, "f1", 7, "s1", 2, "EUR", ["a", 1, "b", 2], "tok", '{"x":1}', 9];

test("a message of format 0 becomes the same rows in columns", () => {
  const body = JSON.stringify([
    ["o", ...PLACED],
    ["c", "ann", ID, "", 7, "", 0],
    ["s", "ann", "", "", 7, "s1", 3],
    ["p", "ann", ID, "", 7, "", 0, 1, 2, "failed", "no money"],
  ]);
  const { count, kept, rejected, dead, body: columns } = sift(body);
  expect([count, rejected, dead]).toEqual([4, [], undefined]);
  const rows: Row[] = [
    { ...orderRow(ORDER, 7), fingerprint: "f1" },
    cancelRow("ann", ID, 7),
    skipRow({ user: "ann", saleId: "s1", seq: 3 }, 7),
    answerRow({ user: "ann", id: ID, generation: 1, attempt: 2 }, "failed", "no money", 7),
  ];
  expect(kept).toEqual(rows.map((row, at) => ({ at, row })));
  expect(allRows(readMessage(columns))).toEqual(rows);
});

test("sound rows keep their places; an unsound order is rejected under its user and id", () => {
  const good = orderRow({ ...ORDER, id: ID.replace("ab", "ac") }, 7);
  const bad = orderRow({ ...ORDER, lines: [{ sku: "a", qty: 0 }] }, 7);
  for (const body of [
    messageText([bad, good, cancelRow("ann", "nothing", 7)]),
    JSON.stringify([
      ["o", ...PLACED.with(7, ["a", 0])],
      ["o", ...PLACED.with(1, good.order.id).with(2, good.fingerprint)],
      ["c", "ann", "nothing", "", 7, "", 0],
    ]),
  ]) {
    const { kept, rejected, dead, body: rest } = sift(body);
    expect(kept).toEqual([{ at: 1, row: good }]);
    expect(allRows(readMessage(rest))).toEqual([good]);
    expect(rejected).toMatchObject([{ at: 0, row: { order: { user: "ann", id: ID, seq: 2 } } }]);
    expect(rejected[0]?.row.order.metadata).toContain("qty");
    expect(dead).toMatch(/^1 of 3 rows: /);
  }
});

/** JSON values, and texts and numbers that are known to cause trouble. */
const anything = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(null, -0, 1e300, 0.5, "\ud800", "a\0b", "__proto__", `ann ${ID}`),
);
const column = fc.oneof(anything, fc.array(anything, { maxLength: 4 }));
const names = fc.oneof(
  fc.constantFrom(...["v", "kind", "order", "at", "fingerprint", "sale", "seq", "currency"]),
  fc.constantFrom(...["lines", "payment", "metadata", "maxTotal", "trace", "generation", "sku"]),
  fc.constantFrom(...["attempt", "answer", "part", "parts", "report", "service", "qty"]),
  fc.string({ unit: "binary" }),
);
const message = messageText([
  orderRow(ORDER, 7),
  cancelRow("ann", ID, 7),
  answerRow({ user: "ann", id: ID, generation: 1, attempt: 2 }, "failed", "no money", 7),
]);

test("no message of columns is too odd, and the kept rows can be read", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, column), { maxLength: 4 }), (changes) => {
      const body = JSON.stringify({ ...JSON.parse(message), ...Object.fromEntries(changes) });
      const { body: rest, kept } = sift(body);
      if (rest !== "") expect(allRows(readMessage(rest))).toEqual(kept.map(({ row }) => row));
      else expect(kept).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("no array is too odd either", () => {
  const place = fc.tuple(fc.nat({ max: 14 }), anything);
  const row = fc.oneof(
    anything,
    fc
      .tuple(fc.constantFrom("o", "r", "c", "p", "f", "s"), fc.array(place))
      .map(([kind, places]) => {
        const values: unknown[] = [kind, ...PLACED];
        for (const [at, value] of places) values[at] = value;
        return values;
      }),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), (rows) => {
      const { body: rest, kept } = sift(JSON.stringify(rows));
      if (rest !== "") expect(allRows(readMessage(rest))).toEqual(kept.map((k) => k.row));
      else expect(kept).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

const MOST = LIMITS.MAX_MESSAGE_BYTES;
const ROWS = LIMITS.MAX_MESSAGE_ROWS;
const fill = (text: string, most = MOST - 200) => text.repeat(Math.floor(most / text.length));
const orders = Array.from({ length: ROWS }, () => orderRow(ORDER, 7));

test.each([
  ["one row with very many values", `[["o",${fill("1,")}1]]`],
  [
    "one order with very many items",
    `[["o","ann","${ID}","f",7,"s",0,"EUR",[${fill('"a",1,')}1]]]`,
  ],
  [
    "as many rows as allowed",
    `[${Array(ROWS)
      .fill(JSON.stringify(["o", ...PLACED]))
      .join()}]`,
  ],
  ["as many rows as allowed, in columns", messageText(orders)],
  ["as many unsound rows as allowed", messageText(orders).replaceAll('"EUR"', "17")],
  ["a column with very many values", `{"v":1,"order":["ann ${ID}"],"sku":[${fill("1,")}1]}`],
  ["very many columns", `{"v":1,"order":[1],${fill('"a":1,')}"b":1}`],
  ["a row with very many items", crowd(1)],
  ["rows with very many items", crowd(ROWS)],
  [
    "very many brackets",
    `{"v":1,"order":[${fill("[", MOST / 2 - 100)}${fill("]", MOST / 2 - 100)}]}`,
  ],
])("%s: sifted within 50 ms", (_, body) => {
  expect(body.length).toBeLessThanOrEqual(MOST);
  // CPU time of the fastest of several runs, because other processes may take the CPU for a while.
  const tookMs = Array.from({ length: 8 }, () => {
    const start = process.cpuUsage();
    sift(body);
    return process.cpuUsage(start).user / 1_000;
  });
  expect(Math.min(...tookMs)).toBeLessThan(50);
});

/** Rows with too many items, all of them in the message. */
function crowd(rows: number): string {
  const each = Math.floor(100_000 / rows);
  const list = (value: unknown, n: number) => Array(n).fill(value);
  return JSON.stringify({
    v: 1,
    ...{ order: list(`a ${ID}`, rows), at: list(7, rows), lines: list(each, rows) },
    ...{ sku: list("a", each * rows), qty: list(1, each * rows) },
  });
}

test("an order whose name has no user is lost, and not rejected under somebody else's", () => {
  const body = JSON.stringify({ ...JSON.parse(messageText([orderRow(ORDER, 7)])), order: [ID] });
  expect(sift(body)).toMatchObject({
    kept: [],
    rejected: [],
    dead: expect.stringContaining("1 of"),
  });
});

test.each(["sale", "fingerprint", "currency"])(
  "an order without a %s is rejected, and what is recorded in its place has one",
  (column) => {
    const { [column]: _, ...rest } = JSON.parse(messageText([orderRow(ORDER, 7)]));
    const { kept, rejected } = sift(JSON.stringify(rest));
    expect([kept.length, rejected.length]).toEqual([0, 1]);
    const { order, fingerprint } = rejected[0]?.row ?? {};
    for (const name of [order?.saleId, order?.currency, fingerprint]) expect(name).not.toBe("");
  },
);
