// How an order is shown: its events say what the stream of its events says.
import { expect, test } from "bun:test";
import type { OrderEvent, StoredOrder } from "../../ledger/contract.ts";
import { showOrder } from "./read-orders.ts";

const ORDER = {
  ...{ id: "o1", user: "ann", saleId: "spring", seq: 0, state: "payment_failed", currency: "EUR" },
  ...{ lines: [], metadata: "", maxTotal: 0, traceparent: "", acceptedAtMs: 0 },
  first: { state: "reserved", atMs: 0 },
} as unknown as StoredOrder;
const at = "1970-01-01T00:00:00.000Z";

test("an event of a charge says which attempt it was and why it failed", () => {
  const events: OrderEvent[] = [
    {
      ...{ atMs: 0, event: "charge_failed" },
      detail: '{"generation":1,"attempt":2,"detail":"card declined"}',
    },
    { atMs: 0, event: "claimed", detail: '{"generation":1,"detail":"1 2 warehouse"}' },
    { atMs: 0, event: "conflict", detail: '"f00d"' },
  ];
  expect(showOrder(ORDER, events).events).toEqual([
    { at, event: "reserved" },
    {
      ...{ at, event: "charge_failed" },
      detail: { generation: 1, attempt: 2, detail: "card declined" },
    },
    {
      ...{ at, event: "claimed" },
      detail: { generation: 1, part: 1, parts: 2, service: "warehouse" },
    },
    { at, event: "conflict" },
  ]);
});
