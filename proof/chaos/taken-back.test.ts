// What an operator lists as lost becomes unknown for both checkers, and nothing else does.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testDir } from "../../test/services.ts";
import { takeBackIn } from "./taken-back.ts";

const lines = (...all: object[]) => `${all.map((one) => JSON.stringify(one)).join("\n")}\n`;
const read = (file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const call = (op: string, id: string, t1: number, result = "ok") => {
  return { op, user: "ann", id, region: "eu", t0: t1 - 1, t1, result };
};
const asked = (n: number, op: string, id: string) => {
  return { e: "invoke", call: n, t: n, op, user: "ann", id };
};
const answered = (n: number, t: number) => ({ e: "return", call: n, t, status: 202, region: "eu" });

test("only listed acceptances before the loss become calls without an answer", () => {
  const dir = testDir("taken-back");
  const [history, events] = [join(dir, "history.jsonl"), join(dir, "events.jsonl")];
  const sent = [
    call("order", "a", 10), // listed
    call("order", "a", 30), // accepted again after the loss
    call("order", "b", 10), // not listed
    call("cancel", "a", 10), // its cancel is not listed
    call("cancel", "b", 10), // listed
    call("order", "c", 10, "fail"), // listed, but it was refused
  ];
  writeFileSync(history, lines(...sent));
  const seen = [
    ...[asked(1, "order", "a"), answered(1, 10), asked(2, "order", "a"), answered(2, 30)],
    ...[asked(3, "order", "b"), answered(3, 10), asked(4, "cancel", "b"), answered(4, 10)],
  ];
  writeFileSync(events, lines(...seen));
  const orders = ["a", "c"].map((id) => ({ user: "ann", id }));
  const cancels = [{ user: "ann", id: "b", cancel: true }];
  takeBackIn([{ orders: [...orders, ...cancels], region: "eu", beforeMs: 20 }], history, events);

  expect(read(history).map(({ result }) => result)).toEqual([
    ...["info", "ok", "ok", "ok", "info", "fail"],
  ]);
  const returns = read(events).filter(({ e }) => e === "return");
  expect(returns.map(({ call: n, status }) => [n, status])).toEqual([
    ...[
      [1, 0],
      [2, 202],
      [3, 202],
      [4, 0],
    ],
  ]);
});

test("a copy is taken back only if another acceptance of its order stays", () => {
  const dir = testDir("taken-back");
  const [history, events] = [join(dir, "history.jsonl"), join(dir, "events.jsonl")];
  const sent = [
    call("order", "a", 10),
    { ...call("order", "a", 11), region: "us" }, // elsewhere: it stays
    ...[call("order", "b", 10), call("order", "b", 11)], // one of two stays
    call("order", "c", 10), // the only one
  ];
  writeFileSync(history, lines(...sent));
  writeFileSync(events, lines({ e: "end" }));
  takeBackIn([{ orders: [], region: "eu", beforeMs: 20 }], history, events);
  expect(read(history).map(({ result }) => result)).toEqual(["info", "ok", "ok", "info", "ok"]);
});
