import { expect, test } from "bun:test";
import { answerRow, cancelRow, skipRow } from "../../core/domain/row.ts";
import { Batch, type Recipient } from "./batch.ts";

const ids = Array.from({ length: 3 }, () => Bun.randomUUIDv7());
const [placed = "", cancelled = "", charged = ""] = ids;

test("each row is settled with its own id, and only orders and cancels have one", () => {
  const batch = new Batch(0, "b", () => 1);
  const settled: unknown[] = [];
  const recipient: Recipient = {
    follows: true,
    settled: (_verdict, ref, id) => void settled.push([ref, id]),
    decided: () => undefined,
    forgotten: () => undefined,
  };
  const order = { user: "a", id: placed, saleId: "s", seq: 0, currency: "EUR" };
  const rest = { lines: [{ sku: "lamp", qty: 1 }], payment: "", metadata: "", maxTotal: 0 };
  batch.add(skipRow({ user: "ann", saleId: "s", seq: 1 }, 1), 1, recipient, 0);
  batch.order({ ...order, ...rest }, 1, undefined, 1, recipient, 1);
  const attempt = { user: "ann", id: charged, generation: 1, attempt: 1 };
  batch.add(answerRow(attempt, "captured", "", 1), 1, recipient, 2);
  batch.add(cancelRow("x.y@z", cancelled, 1), 1, recipient, 3);
  expect(JSON.parse(batch.body().toString()).kind).toBe("sopc");
  batch.settle("confirmed");
  expect(settled).toEqual([
    [0, ""],
    [1, placed],
    [2, ""],
    [3, cancelled],
  ]);
  expect([batch.userAt(1), batch.userAt(3)]).toEqual(["a", "x.y@z"]);
  expect([batch.indexOf("a", placed), batch.indexOf("x.y@z", cancelled)]).toEqual([1, 3]);
  expect(batch.indexOf("ann", charged)).toBeUndefined();
});
