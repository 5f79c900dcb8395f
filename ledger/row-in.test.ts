import { expect, test } from "bun:test";
import fc from "fast-check";
import { placedAt, readMessage } from "../core/domain/message.ts";
import { MessageWriter } from "../core/domain/message-writer.ts";
import { placedIn } from "./row-in.ts";

const TEXTS = ["", "tok", 'a"b', "\\", '\\"', "],", '"]', "ä😀\u2028", "a\nb", '{"k":["]"]}'];

const text = fc.oneof(fc.constantFrom(...TEXTS), fc.string({ maxLength: 12 }));
const line = fc.record({
  sku: fc.constantFrom("a", "b-1", "c_2"),
  qty: fc.integer({ min: 1, max: 9 }),
});
const order = fc.record({
  user: fc.constantFrom("u1", "u2"),
  id: fc.uuid(),
  saleId: fc.constantFrom("s1", "s2"),
  seq: fc.nat(3),
  currency: fc.constantFrom("EUR", "USD"),
  lines: fc.array(line, { minLength: 1, maxLength: 3 }),
  payment: text,
  metadata: text,
  maxTotal: fc.nat(2),
});
const SPACES = ["", " ", "\n", "\t\r\n  "];

function bodyOf(orders: readonly Parameters<MessageWriter["order"]>[0][]): string {
  const writer = new MessageWriter();
  for (const one of orders) writer.order(one, "f".repeat(16), 5);
  return writer.toString();
}

test("each order is read as the reader of whole messages reads it", () => {
  const property = fc.property(
    fc.array(order, { minLength: 1, maxLength: 5 }),
    fc.constantFrom(...SPACES),
    fc.constantFrom(...SPACES),
    fc.boolean(),
    (orders, before, after, reversed) => {
      const members = Object.entries(JSON.parse(bodyOf(orders)) as Record<string, unknown>);
      const written = (reversed ? members.toReversed() : members).map(([name, value]) => {
        const list = (values: unknown[]) =>
          `[${values.map((v) => before + JSON.stringify(v) + after).join(",")}]`;
        const of = Array.isArray(value) ? list(value) : JSON.stringify(value);
        return `${before}"${name}"${after}:${before}${of}${after}`;
      });
      const body = `${before}{${written.join(",")}}${after}`;
      for (let i = 0; i < orders.length; i++)
        expect(placedIn(body, i)).toEqual(placedAt(readMessage(body), i));
    },
  );
  fc.assert(property, { numRuns: 300 });
});

const TWO = bodyOf(
  ["one", "two"].map((user, i) => ({
    ...{ user, id: `0190a8f0-0000-7000-8000-00000000000${i}`, saleId: "s", seq: 0 },
    ...{ currency: "EUR", lines: [{ sku: user, qty: i + 1 }], payment: "", metadata: "" },
    maxTotal: 0,
  })),
);

test.each([
  ["two members of one name", TWO.replace("{", '{"sale":["x","y"],"qty":[7,7],"lines":[2,0],')],
  ["a name with an escape", TWO.replace('"sale"', '"\\u0073ale"')],
  ["numbers as another writer puts them", TWO.replace('"lines":[1,1]', '"lines":[1.0,1e0]')],
])("%s: the last one counts, and nothing is misread", (_, body) => {
  expect(body).not.toBe(TWO);
  for (const i of [0, 1]) expect(placedIn(body, i)).toEqual(placedAt(readMessage(TWO), i));
});

test.each(["", "{", "[]", '{"v":1}', '{"v":1,"lines":[1]}', `${TWO.slice(0, -1)}`, "null"])(
  "%p is no message",
  (body) => {
    expect(() => placedIn(body, 0)).toThrow();
  },
);
