import { expect, test } from "bun:test";
import { processesOn } from "../governor/installation.ts";
import { isLast, WITHOUT_LEDGER } from "./shares.ts";

const worker = (state: string, reasons: readonly string[] = [], of = "running") =>
  JSON.stringify({ state: of, governor: { state, reasons } });
const BUSY = worker("paused", ["cpu_others_percent", "loop_delay_ms"]);
const last = (workers: Record<string, string>) =>
  Object.keys(workers).filter((id) => isLast(id, new Map(Object.entries(workers))));

test.each([
  ["a worker alone", { a: worker("running") }, ["a"]],
  ["one of two that decide", { a: worker("running"), b: worker("slowed") }, []],
  ["the one that others have left", { a: BUSY, b: worker("slowed", ["loop_delay_ms"]) }, ["b"]],
  ["the first of those that all stopped for neighbours", { b: BUSY, a: BUSY, c: BUSY }, ["a"]],
  [
    "not one that an operator has stopped",
    { a: worker("paused", ["operator"]), b: BUSY },
    [...["a", "b"]],
  ],
  [
    "not one that would harm the ledger",
    { a: worker("paused", ["ledger_ms"]), b: BUSY },
    [...["a", "b"]],
  ],
  [
    "not one that has lost its ledger",
    { a: worker("running", [], WITHOUT_LEDGER), b: BUSY },
    [...["a", "b"]],
  ],
])("who must not stop for busy neighbours: %s", (_, workers, expected) => {
  expect(last(workers as Record<string, string>)).toEqual(expected);
});

test("a role is ours by its own report, if that comes from this machine", () => {
  const reports = [
    JSON.stringify({ host: "here", pid: 7 }),
    JSON.stringify({ host: "there", pid: 8 }),
    JSON.stringify({ kind: "worker" }), // of an earlier release
  ];
  expect(processesOn("here", reports)).toEqual([7]);
});
