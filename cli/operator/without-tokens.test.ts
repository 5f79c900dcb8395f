import { expect, test } from "bun:test";
import { messageText } from "../../core/domain/message.ts";
import type { Row } from "../../core/domain/row.ts";
import { orderRow } from "../../ledger/test-entries.ts";
import { letterOf } from "./dead-letters.ts";

const TOKEN = "tok_4242";

const row = orderRow("ann", Bun.randomUUIDv7(), 1) as Extract<Row, { kind: "order" }>;
const paid: Row = { ...row, order: { ...row.order, payment: TOKEN } };
const { order } = paid;

test.each([
  ["a message of columns", messageText([paid, row])],
  ["a row that could not be decided", JSON.stringify({ reason: "x", row: paid })],
  ["a failed payment", JSON.stringify({ ...order, generation: 1, payment: TOKEN })],
  ["several requests", JSON.stringify([{ payment: TOKEN }, { payment: TOKEN }])],
  ["text that is no JSON", `{"id":"1","payment":"${TOKEN}","user":`],
  ["text that ends in the token", `{"id":"1","payment": "${TOKEN}`],
])("a letter with %s does not show the payment token", (_, text) => {
  const letter = letterOf({
    ...{ id: "1", region: "eu", queue: "orders.dead", routingKey: "0", headers: {} },
    ...{ source: undefined, type: "orders.v1", messageId: "1", body: Buffer.from(text) },
  } as Parameters<typeof letterOf>[0]);
  expect(text).toContain(TOKEN);
  expect(JSON.stringify(letter)).not.toContain(TOKEN);
  expect(JSON.stringify(letter)).toContain("(hidden)");
});
