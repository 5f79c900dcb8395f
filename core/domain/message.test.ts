import { expect, test } from "bun:test";
import fc from "fast-check";
import { ANSWER_WORDS } from "./limits.ts";
import { allRows, idAt, messageText, NoMessage, readMessage, userAt } from "./message.ts";
import { fingerprintOf, type Order } from "./order.ts";
import type { Row } from "./row.ts";

const ID = "01a223f8-7227-7b7e-9396-4088faac64e6";
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const name = fc.stringMatching(/^[a-z0-9][a-z0-9._@-]{0,20}$/);
const count = fc.integer({ min: 1, max: 1_000_000_000 });
const atMs = fc.integer({ min: 1, max: 99_999_999_999_999 });
const text = fc.string({ unit: "grapheme", maxLength: 30 });
const line = fc.record({ sku: name, qty: fc.integer({ min: 1, max: 1_000 }) });
const order: fc.Arbitrary<Order> = fc.record({
  user: name,
  id: fc.constant(ID),
  saleId: name,
  seq: fc.nat({ max: 5 }),
  currency: fc.constantFrom("EUR", "JPY"),
  lines: fc.array(line, { minLength: 1, maxLength: 4 }),
  payment: text,
  metadata: text,
  maxTotal: fc.nat({ max: 3 }),
});
const placed = fc.tuple(order, atMs, fc.boolean()).map(([o, at, traced]) => ({
  order: o,
  fingerprint: fingerprintOf(o),
  atMs: at,
  ...(traced ? { trace: TRACE } : {}),
}));
const part = { user: name, id: fc.constant(ID), generation: count, part: count, of: count };
const row: fc.Arbitrary<Row> = fc.oneof(
  placed.map((of) => ({ kind: "order" as const, ...of })),
  fc.tuple(placed, count).map(([of, generation]) => ({
    kind: "redrive" as const,
    ...of,
    order: { ...of.order, seq: 0 },
    generation,
  })),
  fc.record({ kind: fc.constant("skip" as const), user: name, saleId: name, seq: count, atMs }),
  fc.record({ kind: fc.constant("cancel" as const), user: name, id: fc.constant(ID), atMs }),
  fc.record({
    kind: fc.constant("answer" as const),
    user: name,
    id: fc.constant(ID),
    generation: count,
    attempt: count,
    answer: fc.constantFrom(...ANSWER_WORDS),
    detail: text,
    atMs,
  }),
  fc.record({
    kind: fc.constant("part" as const),
    ...part,
    report: fc.constantFrom("claim" as const, "done" as const),
    service: name,
    atMs,
  }),
);

test("rows are read back as they were written", () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
      expect(allRows(readMessage(messageText(rows)))).toEqual(rows);
    }),
  );
});

test("a message of plain orders has no columns with only defaults", () => {
  const plain: Order = {
    user: "ann",
    id: ID,
    saleId: "s1",
    seq: 0,
    currency: "EUR",
    lines: [
      { sku: "a", qty: 1 },
      { sku: "b", qty: 2 },
    ],
    payment: "",
    metadata: "",
    maxTotal: 0,
  };
  const message = messageText([
    { kind: "order", order: plain, fingerprint: "f1", atMs: 7 },
    { kind: "order", order: { ...plain, user: "bob", seq: 3 }, fingerprint: "f2", atMs: 8 },
  ]);
  expect(JSON.parse(message)).toEqual({
    v: 1,
    order: [`ann ${ID}`, `bob ${ID}`],
    at: [7, 8],
    fingerprint: ["f1", "f2"],
    sale: ["s1", "s1"],
    seq: [0, 3],
    currency: ["EUR", "EUR"],
    lines: [2, 2],
    sku: ["a", "b", "a", "b"],
    qty: [1, 2, 1, 2],
  });
  const rows = readMessage(message);
  expect([userAt(rows, 1), idAt(rows, 1)]).toEqual(["bob", ID]);
});

test("rows of format 0 are read into the same objects", () => {
  const placedRow = ["ann", ID, "f1", 7, "s1", 2, "EUR", ["a", 1, "b", 2], "tok", '{"x":1}', 9];
  const expected = {
    order: {
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
    },
    fingerprint: "f1",
    atMs: 7,
  };
  const rows = readMessage(
    JSON.stringify([
      ["o", ...placedRow, TRACE],
      ["r", ...placedRow, 4],
      ["s", "ann", "", "", 7, "s1", 3],
      ["c", "ann", ID, "", 7, "", 0],
      ["p", "ann", ID, "", 7, "", 0, 1, 2, "failed", "no money"],
      ["f", "ann", ID, "", 7, "", 0, 1, 2, 3, "later", "warehouse", 5],
    ]),
  );
  expect(allRows(rows)).toEqual([
    { kind: "order", ...expected, trace: TRACE },
    { kind: "redrive", ...expected, generation: 4 },
    { kind: "skip", user: "ann", saleId: "s1", seq: 3, atMs: 7 },
    { kind: "cancel", user: "ann", id: ID, atMs: 7 },
    {
      kind: "answer",
      user: "ann",
      id: ID,
      generation: 1,
      attempt: 2,
      answer: "failed",
      detail: "no money",
      atMs: 7,
    },
    {
      kind: "part",
      user: "ann",
      id: ID,
      generation: 1,
      part: 2,
      of: 3,
      report: "later",
      service: "warehouse",
      request: 5,
      atMs: 7,
    },
  ]);
});

test.each([
  ["text that is not JSON", "{", "not JSON"],
  ["a number", "7", "not a JSON object of columns"],
  ["no rows", '{"v":1,"order":[]}', "no rows"],
  ["no rows of format 0", "[]", "no rows"],
  ["no version", `{"order":["ann ${ID}"]}`, "v: not a known format"],
  ["a later version", `{"v":2,"order":["ann ${ID}"]}`, "format 2 is newer"],
  ["an unknown column", `{"v":1,"order":["ann ${ID}"],"price":[1]}`, "no such column: price"],
  ["a short column", `{"v":1,"order":["ann ${ID}"],"at":[]}`, "at: not one value per row"],
  ["an extra letter", `{"v":1,"order":["ann ${ID}"],"kind":"oo"}`, "kind: not one letter per row"],
  ["lines without items", `{"v":1,"order":["ann ${ID}"],"lines":[1]}`, "lines: do not add up"],
])("%s is not a message", (_, body, problem) => {
  expect(() => readMessage(body)).toThrow(NoMessage);
  expect(() => readMessage(body)).toThrow(problem);
});
